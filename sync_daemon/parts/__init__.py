"""What services and commands are made of: each does one thing with the ports, when it is asked to."""
