"""The abstract classes that plugins implement, one file for each kind of plugin."""
