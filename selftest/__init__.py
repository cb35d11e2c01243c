"""The selftest: tests the bridge's promises on its own installation, with separate tenants."""
