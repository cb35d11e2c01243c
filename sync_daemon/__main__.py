"""`python -m sync_daemon` is `c360`."""

from sync_daemon.cli.main import main

main()
