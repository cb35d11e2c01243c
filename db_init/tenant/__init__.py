"""SQL of the objects attached to each tenant, one level per file."""
