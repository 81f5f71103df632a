"""One file per schedule; the file's stem is the name that a config uses."""
