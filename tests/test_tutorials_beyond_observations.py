"""The tutorials of disturbances, the shield and skills, each from an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tutorials import folder_of, run


@pytest.mark.slow
def test_a_cart_in_the_wind_fails_and_one_that_learned_to_brake_passes(tmp_path: Path) -> None:
    page = "disturbances.md"
    attacked, failed, _, passed, looked, shielded = run(page, folder_of(page, tmp_path))
    assert "worst h" in attacked
    assert "FAIL P(cost > 0) <= 0.3 at disturbance eps = 0.4" in failed
    assert "PASS P(cost > 0) <= 0.3 at disturbance eps = 0.4" in passed
    assert looked.count("safe up to a speed of") == 3
    assert "own_safety_adversary" in shielded


@pytest.mark.slow
def test_a_boat_is_safe_behind_its_shield(tmp_path: Path) -> None:
    page = "behind-a-shield.md"
    alone, proved, _, passed = run(page, folder_of(page, tmp_path))
    cost = re.search(r"random_search fitted 0\.2 \S+ ± \S+ (\S+)", alone)
    assert cost is not None
    assert float(cost[1]) > 1
    assert "holds=True" in proved
    assert "PASS P(cost > 0) <= 0.3 at eps = 0.2" in passed
    assert "given the model" in passed


@pytest.mark.slow
def test_a_skill_prior_is_learned_from_data_and_acted_through(tmp_path: Path) -> None:
    page = "skills-from-data.md"
    collected, prior, learned, attacked = run(page, folder_of(page, tmp_path))
    assert "steps" in collected
    auc = re.search(r"auc (\S+)", prior)
    assert auc is not None
    assert float(auc[1]) > 0.9
    raw, skills = map(int, re.findall(r"(\d+) cups reached", learned))
    assert skills > 10 + raw
    assert "mad" in attacked
