"""The selftest: the bridge's promises tried on the installation it runs in, with tenants of its own."""
