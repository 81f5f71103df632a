"""One file per loss; the file's stem is the name that a config uses."""
