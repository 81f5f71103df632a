"""From a config to a schedule: one file per pass."""
