"""One file per constraint; the file's stem is the name that a config uses."""
