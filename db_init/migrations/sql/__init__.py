"""SQL of each level of schema bridge."""
