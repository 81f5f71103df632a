"""Files in, arrays ready for a plan out: sources, splits, scaling and the encoding of targets."""
