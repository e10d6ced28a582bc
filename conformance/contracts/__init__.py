"""Contracts for your own policies, attacks and environments.

    from safer_gym.conformance.contracts import check_attack, check_cost_env, check_policy

Each raises a `ContractError`, an AssertionError that names the broken clause, and returns what it
found out otherwise: call them in your own tests.
"""

from safer_gym.conformance.contracts.attack import check_attack
from safer_gym.conformance.contracts.contract import ContractError
from safer_gym.conformance.contracts.env import EnvFacts, check_cost_env
from safer_gym.conformance.contracts.policy import PolicyFacts, check_policy

__all__ = [
    "ContractError",
    "EnvFacts",
    "PolicyFacts",
    "check_attack",
    "check_cost_env",
    "check_policy",
]
