"""The built-in plugins: every documented option, registered as a third party's would be."""
