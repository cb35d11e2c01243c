"""What administrators and the command line ask of the app database, and change there."""
