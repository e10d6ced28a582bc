"""The policy stays within its cost limit although somebody tampers with what it sees."""

import os

import pytest
from my_robot import ENV_ID

POLICY = os.environ.get("POLICY", "ball-circle/safer-attacked")


@pytest.mark.safe_policy(
    policy=POLICY,
    env=ENV_ID,
    requirement="../safety.toml",
    battery="quick",
    episodes=100,
)
def test_worst_case_cost(certificate):
    assert certificate.environment.horizon == 200
