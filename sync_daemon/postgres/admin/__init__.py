"""What administrators and the command line read and change in the app's database."""
