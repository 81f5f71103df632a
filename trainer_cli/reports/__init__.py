"""Data and events in, text for people out: tables, progress bars, plain lines."""
