"""The demo: two agencies with believable data, and a comparison of both sides."""
