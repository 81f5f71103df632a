"""One file per initializer; the file's stem is the name that a config uses."""
