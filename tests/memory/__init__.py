"""One in-memory implementation of each port, held to the real one by the same tests: tests/ports."""
