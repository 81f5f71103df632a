"""What a config can name; one file per part, discovered by file name."""
