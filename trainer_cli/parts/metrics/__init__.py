"""One file per metric; the file's stem is the name that a config uses."""
