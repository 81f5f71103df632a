"""One file per activation; the file's stem is the name that a config uses."""
