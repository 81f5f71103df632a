"""One file per optimizer; the file's stem is the name that a config uses."""
