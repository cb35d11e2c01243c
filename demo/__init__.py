"""The demonstration: two agencies with believable data, and a comparison of what both sides hold."""
