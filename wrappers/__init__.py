"""Attack any policy in any Gymnasium environment, and count the cost."""
