"""A small working plugin of every kind, called ``my-plugin``; the names are replaced."""
