"""One file an environment family: each to Gymnasium's five-value step with `info["cost"]`."""
