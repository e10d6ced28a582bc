"""The DRAC paper (Li et al., 2024): oracles, and what is to be reproduced."""
