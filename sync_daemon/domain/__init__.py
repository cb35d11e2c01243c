"""Pure decisions: no I/O, no clock, no randomness; everything comes in as an argument and goes out as a value."""
