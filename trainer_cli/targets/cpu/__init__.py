"""The CPU target: a schedule comes in, native code that trains goes out."""
