"""The walks. Each service does one round per `run_once()` and says what it came to; none of them loops or sleeps."""
