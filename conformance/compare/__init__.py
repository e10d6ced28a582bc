"""Two policies side by side: the same episodes, differences with intervals, and a verdict."""

from safer_gym.conformance.compare.compare import METRICS, Comparison, Condition, compare

__all__ = ["METRICS", "Comparison", "Condition", "compare"]
