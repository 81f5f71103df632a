"""What a YAML file may say: its text in, a validated Config and the place of every value out."""
