"""SQL of the objects attached to each tenant, named by what it makes; each file may be run again."""
