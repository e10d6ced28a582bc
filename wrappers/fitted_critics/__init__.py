"""Critics of a policy that brings none, fitted to its own episodes."""
