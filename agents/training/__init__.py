"""Training as the command line does it: recipes, checkpoints, the curve."""
