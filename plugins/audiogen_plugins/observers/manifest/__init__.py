"""``manifest``: one file that lists every output of a folder with its metadata."""
