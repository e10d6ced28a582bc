"""A Lagrange multiplier on the cost, for off-policy algorithms of Stable-Baselines3."""
