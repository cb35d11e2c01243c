"""Rendering: the contract and the events as pages, schemas and data."""
