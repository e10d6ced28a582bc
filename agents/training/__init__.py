"""Training as the command line does it: recipes, checkpoints, the curve, the kept policy."""
