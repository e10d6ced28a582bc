"""A skill policy as one network: does what the wrapper does, is kept in a file, is attacked."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import SAC

from safer_gym.agents.skills import PriorShape, SkillPrior
from safer_gym.agents.skills.network import SkillNetwork
from safer_gym.conformance.evaluate.evaluation import evaluate
from safer_gym.conformance.loading import load_policy
from safer_gym.wrappers.skills import SkillActions, SkillPolicy
from safer_gym.wrappers.worlds.double_integrator import DoubleIntegrator

FIRST = {"format": "safer-gym skill policy 1", "latent": None, "squashed": None}


@pytest.fixture(scope="module")
def made() -> tuple[SkillNetwork, SkillPolicy]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prior = SkillPrior(PriorShape((2,), 1, window=4, safety_size=3, hidden=8)).eval()
    prior.encoder.fit(torch.tensor([[0.0, 0.0], [1.0, 4.0], [2.0, 3.0]]))
    env = SkillActions(DoubleIntegrator(), prior, eta=2.0)
    model = SAC("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [8, 5]})
    raw = DoubleIntegrator()
    given = model, prior, 2.0, raw.observation_space, raw.action_space
    return SkillNetwork.of(*given), SkillPolicy(*given)


def test_it_does_what_the_policy_does(made: tuple[SkillNetwork, SkillPolicy]) -> None:
    network, policy = made
    rng, state, memory = np.random.default_rng(0), None, ()
    for _ in range(7):
        obs = rng.normal(size=(3, 2)).astype(np.float32)
        wanted, state = policy.predict(obs, state, deterministic=True)
        found, *memory = network(torch.as_tensor(obs), *memory)
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


def test_it_has_a_gradient(made: tuple[SkillNetwork, SkillPolicy]) -> None:
    obs = torch.randn(2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    network = made[0]
    _, *memory = network(torch.zeros(2, 2))
    network(obs, *memory)[0].sum().backward()
    assert obs.grad is not None
    assert obs.grad.abs().min() > 0


def test_saved_is_loaded_and_attacked(
    made: tuple[SkillNetwork, SkillPolicy], tmp_path: Path
) -> None:
    made[0].save(tmp_path / "policy.zip")
    loaded = load_policy(tmp_path / "policy.zip")
    assert loaded.kind == "skill"
    assert not loaded.ran_code
    obs = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.policy(obs)[0], made[0](obs)[0])
    make: Any = DoubleIntegrator
    natural, own = (
        evaluate(policy, make, ["natural", "mad"], eps=0.1, n_episodes=2, seed=3, max_steps=12)
        for policy in (loaded, made[0])
    )
    assert [o.returns.tolist() for o in natural] == [o.returns.tolist() for o in own]
    assert natural[0].returns.tolist() != natural[1].returns.tolist()


def test_the_first_format_is_read(made: tuple[SkillNetwork, SkillPolicy], tmp_path: Path) -> None:
    made[0].save(tmp_path / "second.zip")
    rewritten(tmp_path / "second.zip", tmp_path / "first.zip", FIRST | {"hidden": [8, 5]})
    loaded = load_policy(tmp_path / "first.zip").policy
    obs = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded(obs)[0], made[0](obs)[0], atol=0, rtol=0)


def rewritten(path: Path, to: Path, change: dict[str, Any]) -> None:
    """The file with a change of what it says of itself; None takes an entry away."""
    with zipfile.ZipFile(path) as archive:
        about, weights = json.loads(archive.read("skill.json")), archive.read("weights.pth")
    told = {name: value for name, value in (about | change).items() if value is not None}
    with zipfile.ZipFile(to, "w") as archive:
        archive.writestr("skill.json", json.dumps(told))
        archive.writestr("weights.pth", weights)


@pytest.mark.parametrize(
    "change",
    [{"format": "other"}, {"prior": {}}, {"actions": [[0.0]]}, {"observations": 3}, {"prior": 4},
     {"eta": None}, {"eta": float("nan")}, {"squashed": 1}, {"latent": 3}, {"latent": []},
     {"latent": [["Sequential", {}]]}, {"latent": [["Linear", {"in_features": "a"}]]},
     FIRST | {"hidden": [3]}, FIRST | {"hidden": ["a"]}, FIRST],
)  # fmt: skip
def test_broken_files_are_refused(
    made: tuple[SkillNetwork, SkillPolicy], tmp_path: Path, change: dict[str, Any]
) -> None:
    made[0].save(tmp_path / "whole.zip")
    rewritten(tmp_path / "whole.zip", tmp_path / "broken.zip", change)
    with pytest.raises(ValueError, match="holds"):
        load_policy(tmp_path / "broken.zip", trust=True)
