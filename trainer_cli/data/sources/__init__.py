"""The kinds of data file that a config can name; one file per kind, discovered by file name."""
