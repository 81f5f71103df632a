"""The command line: arguments in, one importable function called, text and an exit code out."""
