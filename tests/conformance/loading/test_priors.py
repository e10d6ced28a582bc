"""Skill priors by name and by file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from safer_gym.agents.skills import PriorShape, SkillPrior
from safer_gym.conformance.loading import load_policy, load_prior
from safer_gym.conformance.loading.zoo import packaged_priors

PACKAGED = "operation/skill-safer"


def test_the_packaged_prior_is_the_one_inside_the_packaged_policy() -> None:
    assert PACKAGED in packaged_priors()
    found, inside = load_prior(PACKAGED), load_policy("operation-13/skill-safer").policy.prior
    assert found.shape == inside.shape
    for name, weights in inside.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], weights, rtol=0, atol=0)


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    SkillPrior(PriorShape((3,), 2)).save(tmp_path / "own.pt")
    assert load_prior(tmp_path / "own.pt").shape == PriorShape((3,), 2)


def test_what_is_neither_is_refused_with_what_is_packaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"'operation/skill-saver'.*{PACKAGED}"):
        load_prior("operation/skill-saver")
    (tmp_path / "policy.pt").write_bytes(b"no prior")
    with pytest.raises(ValueError, match=r"policy\.pt holds no skill prior"):
        load_prior(tmp_path / "policy.pt")
