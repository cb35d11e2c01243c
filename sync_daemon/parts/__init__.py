"""Parts of services and commands: each does one thing with the ports, when asked."""
