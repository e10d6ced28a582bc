"""Learn policies that stay safe under attack: Stable-Baselines3-style algorithms."""
