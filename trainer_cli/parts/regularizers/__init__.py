"""One file per regularizer; the file's stem is the name that a config uses."""
