"""Evaluate a policy under attacks: the same starts for every attack, many episodes in lockstep."""

from safer_gym.conformance.evaluate.evaluation import evaluate, named_attacks

__all__ = ["evaluate", "named_attacks"]
