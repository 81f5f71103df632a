"""One file per layer; the file's stem is the name that a config uses."""
