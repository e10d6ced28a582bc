"""`policy_layers` under the short name that scripts import."""

from safer_gym.wrappers.policies.layers import policy_layers

__all__ = ["policy_layers"]
