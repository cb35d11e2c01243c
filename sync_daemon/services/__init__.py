"""The walks. Each service does one round per `run_once()` and reports it; none loops or sleeps."""
