"""The former place of `safer_gym.wrappers.policies.layers`, for scripts that import it."""

from safer_gym.wrappers.policies.layers import policy_layers

__all__ = ["policy_layers"]
