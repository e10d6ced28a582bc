"""The count of Stable-Baselines3's tests, tried on a suite of four."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SUITE = """
import pytest
from stable_baselines3 import PPO, SAC, TD3

KWARGS = dict(learning_starts=5, train_freq=10, buffer_size=100, policy_kwargs=dict(net_arch=[4]))

@pytest.mark.parametrize("model_class", [SAC, TD3])
def test_learns(model_class):
    model_class("MlpPolicy", "Pendulum-v1", **KWARGS).learn(10)

def test_fails():
    assert SAC("MlpPolicy", "Pendulum-v1", **KWARGS) is None

def test_makes_none():
    assert SAC.__name__ == "CVPO"

def test_is_skipped():
    SAC("MlpPolicy", "Pendulum-v1", **KWARGS)
    pytest.skip()
"""


def test_tests_that_make_an_agent_count(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(SUITE)
    command = [sys.executable, "-m", "benchmarks.sb3_suite", str(tmp_path), "--algorithm", "CVPO"]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 1, told.stderr
    assert re.search(r"CVPO: 1 of 2 passed", told.stdout), told.stdout
    assert re.findall(r"^missed .*::(\w+)", told.stdout, re.MULTILINE) == ["test_fails"]
    assert "4 passed" not in told.stdout
    none = subprocess.run([*command, "-k", "none"], capture_output=True, text=True)
    assert none.returncode == 0
    assert "CVPO: 0 of 0 passed" in none.stdout
