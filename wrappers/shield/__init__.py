"""A filter between any policy and any environment that reasons over all states that may be true."""

from safer_gym.wrappers.shield.env import ShieldedEnv
from safer_gym.wrappers.shield.policy import ShieldedPolicy
from safer_gym.wrappers.shield.shield import Shield

__all__ = ["Shield", "ShieldedEnv", "ShieldedPolicy"]
