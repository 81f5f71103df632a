"""What runs a program: `reference` defines every result, `cpu` computes it fast."""
