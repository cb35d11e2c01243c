"""`c360 audit isolation`: tries to get from each tenant to every other one, and counts what was denied."""
