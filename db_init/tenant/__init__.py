"""SQL of the objects attached to each tenant, named by what they create; each file may run again."""
