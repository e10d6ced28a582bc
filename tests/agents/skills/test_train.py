"""Training of a prior: it separates, goes on where it was killed, and refuses what cannot work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from safer_gym.agents.data.offline import OfflineData, offline_data
from safer_gym.agents.skills.dataset import SkillData
from safer_gym.agents.skills.prior import PriorShape, SkillPrior
from safer_gym.agents.skills.scoring import (
    auc,
    latent_norms,
    log_likelihoods,
    unsafe_among_likely,
)
from safer_gym.agents.skills.train import PriorTraining, train_prior

SHAPE = PriorShape((2,), 2, window=3, safety_size=2, layers=2, hidden=16)
QUICK = PriorTraining(updates=6, batch_size=8)


def toy(n: int = 600, seed: int = 0) -> OfflineData:
    """Safe actions lie left of zero, unsafe ones right of it."""
    rng = np.random.default_rng(seed)
    costs = (rng.random(n) < 0.3).astype(np.float32)
    side = np.where(costs > 0, 0.4, -0.4)[:, None]
    return offline_data({
        "observations": rng.normal(size=(n, 2)),
        "actions": np.clip(side + 0.15 * rng.normal(size=(n, 2)), -0.9, 0.9),
        "rewards": np.zeros(n), "costs": costs,
        "terminals": np.arange(n) % 10 == 9, "timeouts": np.zeros(n, bool),
    })  # fmt: skip


def weights(prior: SkillPrior) -> bytes:
    return b"".join(w.numpy().tobytes() for w in prior.state_dict().values())


def test_it_tells_unsafe_from_safe() -> None:
    prior = train_prior(toy(), SHAPE, PriorTraining(updates=300, batch_size=64, learning_rate=3e-3))
    data = SkillData(toy(seed=1), SHAPE.window)
    safe, unsafe = (log_likelihoods(prior, data, rows) for rows in (data.safe, data.unsafe))
    assert auc(safe, unsafe) > 0.95
    assert unsafe_among_likely(safe, unsafe, 0.5) < 0.02
    inner, outer = (latent_norms(prior, data, rows) for rows in (data.safe, data.unsafe))
    assert inner.median() < outer.median()


@pytest.mark.parametrize("killed_at", [1, 4, 5])
def test_killed_and_resumed_equals_unbroken(tmp_path: Path, killed_at: int) -> None:
    class Killed(BaseException):
        pass

    def kill(progress: Any) -> None:
        if progress.update == killed_at:
            raise Killed

    whole = train_prior(toy(), SHAPE, QUICK)
    with pytest.raises(Killed):
        train_prior(toy(), SHAPE, QUICK, folder=tmp_path, checkpoint_every=2, progress=kill)
    resumed = train_prior(toy(), SHAPE, QUICK, folder=tmp_path, checkpoint_every=2)
    assert weights(resumed) == weights(whole)


def test_another_trainings_checkpoint_is_refused(tmp_path: Path) -> None:
    train_prior(toy(), SHAPE, QUICK, folder=tmp_path)
    with pytest.raises(ValueError, match="of training with seed = 0, not 1"):
        train_prior(toy(), SHAPE, replace(QUICK, seed=1), folder=tmp_path)
    with pytest.raises(ValueError, match="of shape with hidden = 16, not 8"):
        train_prior(toy(), replace(SHAPE, hidden=8), QUICK, folder=tmp_path)


@pytest.mark.parametrize("column", ["observations", "actions", "costs"])
def test_other_data_is_refused(tmp_path: Path, column: str) -> None:
    train_prior(toy(), SHAPE, QUICK, folder=tmp_path)
    changed = getattr(toy(), column).copy()
    changed[7] = 0.5
    with pytest.raises(ValueError, match="of data with digest"):
        train_prior(toy()._replace(**{column: changed}), SHAPE, QUICK, folder=tmp_path)


def test_an_older_checkpoint_that_does_not_know_its_data_is_refused(tmp_path: Path) -> None:
    train_prior(toy(), SHAPE, QUICK, folder=tmp_path)
    path = tmp_path / "prior.checkpoint"
    state = torch.load(path, weights_only=True)
    del state["data"]
    torch.save(state, path)
    with pytest.raises(ValueError, match="of data with digest = None, not"):
        train_prior(toy(), SHAPE, QUICK, folder=tmp_path)


@pytest.mark.parametrize("content", [b"", b"junk", "cut", ["weights"], ["done"], 3])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path, content: Any) -> None:
    train_prior(toy(), SHAPE, QUICK, folder=tmp_path)
    path = tmp_path / "prior.checkpoint"
    if isinstance(content, list):  # of its parts
        whole = torch.load(path, weights_only=True)
        torch.save({part: whole[part] for part in whole if part not in content}, path)
    elif isinstance(content, int):
        torch.save(content, path)
    else:
        path.write_bytes(path.read_bytes()[:2000] if content == "cut" else content)
    with pytest.raises(ValueError, match=r"prior\.checkpoint cannot be gone on with.*Delete it"):
        train_prior(toy(), SHAPE, QUICK, folder=tmp_path)


def test_a_loss_that_is_not_finite_keeps_the_checkpoint(tmp_path: Path) -> None:
    train_prior(toy(), SHAPE, QUICK, folder=tmp_path)
    kept = (tmp_path / "prior.checkpoint").read_bytes()
    broken = toy()
    broken.actions[:] = np.nan
    with pytest.raises((FloatingPointError, ValueError)):
        train_prior(broken, SHAPE, replace(QUICK, updates=9), folder=tmp_path)
    assert (tmp_path / "prior.checkpoint").read_bytes() == kept


def test_saved_is_loaded(tmp_path: Path) -> None:
    prior = train_prior(toy(), SHAPE, QUICK)
    prior.save(tmp_path / "prior.pt")
    loaded = SkillPrior.load(tmp_path / "prior.pt")
    assert loaded.shape == prior.shape
    assert weights(loaded) == weights(prior)


@pytest.mark.parametrize(
    "content", [b"", b"junk", {"format": "other"}, {"format": "safer-gym skill prior 1"}]
)
def test_broken_files_are_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "prior.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match="holds no skill prior"):
        SkillPrior.load(path)


def test_windows_are_padded_where_an_episode_begins() -> None:
    data = SkillData(toy(), 3)
    steps = data.steps(torch.tensor([10, 11, 12, 13]))
    assert steps.length.tolist() == [1, 2, 3, 3]
    assert steps.window[:, -1].tolist() == [10, 11, 12, 13]
    assert steps.window[3].tolist() == [11, 12, 13]
    prior = train_prior(toy(), SHAPE, QUICK)
    features = torch.randn(1, 3, 2, generator=torch.Generator().manual_seed(0))
    other = features.clone()
    other[:, :2] += 5.0
    one = torch.tensor([1])
    torch.testing.assert_close(prior.posterior(features, one), prior.posterior(other, one))


def test_a_bar_shows_the_updates_that_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    train_prior(toy(), SHAPE, QUICK, progress=True)
    assert "prior: 100%" in capsys.readouterr().err


def test_onset_is_the_first_step_with_cost() -> None:
    costs = np.array([0, 1, 1, 0, 1, 1], np.float32)
    columns = {
        "observations": np.zeros((6, 2)), "actions": np.zeros((6, 2)), "rewards": np.zeros(6),
        "costs": costs, "terminals": np.array([0, 0, 0, 0, 1, 1]), "timeouts": np.zeros(6),
    }  # fmt: skip
    data = offline_data(columns)
    assert SkillData(data, 2).unsafe.tolist() == [1, 2, 4, 5]
    assert SkillData(data, 2, "onset").unsafe.tolist() == [1, 4, 5]  # step 5 begins an episode


def test_recovery_is_every_later_step_of_a_touch_that_ends_well() -> None:
    costs = np.array([0, 1, 1, 1, 0, 0, 1, 1, 1, 1], np.float32)
    columns = {
        "observations": np.zeros((10, 2)), "actions": np.zeros((10, 2)), "rewards": np.zeros(10),
        "costs": costs, "terminals": np.array([0, 0, 0, 0, 0, 1, 0, 0, 1, 1]),
        "timeouts": np.zeros(10),
    }  # fmt: skip
    succeeds = np.array([True] * 6 + [False] * 3 + [True])
    data = offline_data(columns)._replace(success=succeeds)
    found = SkillData(data, 2, "recovery")
    assert found.safe.tolist() == [0, 2, 3, 4, 5]
    assert found.unsafe.tolist() == [1, 6, 9]  # step 9 begins an episode
    onset = SkillData(data, 2, "onset")
    assert onset.unsafe.tolist() == found.unsafe.tolist()
    assert onset.safe.tolist() == [0, 4, 5]


def test_what_cannot_work_is_refused() -> None:
    safe = toy()._replace(costs=np.zeros(600, np.float32))
    with pytest.raises(ValueError, match="the data has no unsafe step; unsafe_weight=0"):
        train_prior(safe, SHAPE, QUICK)
    train_prior(safe, SHAPE, replace(QUICK, unsafe_weight=0.0))
    with pytest.raises(
        ValueError, match=r"data: actions must lie in \[-1, 1\]; row 0 has one of 2"
    ):
        train_prior(toy()._replace(actions=np.full((600, 2), 2.0, np.float32)), SHAPE, QUICK)
    with pytest.raises(ValueError, match="no step without cost"):
        train_prior(toy()._replace(success=np.zeros(600, bool)), SHAPE, QUICK)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (PriorTraining, {"updates": 0}), (PriorTraining, {"learning_rate": float("nan")}),
        (PriorTraining, {"unsafe_weight": -1.0}), (PriorTraining, {"labels": "all"}),
        (PriorShape, {"flow": "glow"}), (PriorShape, {"window": 0}), (PriorShape, {"hidden": 1.5}),
    ],
)  # fmt: skip
def test_bad_options_name_themselves(kind: Any, options: dict[str, Any]) -> None:
    first = {"observation_shape": (2,), "action_size": 2} if kind is PriorShape else {}
    with pytest.raises(ValueError, match=next(iter(options))):
        kind(**first, **options)


def test_images_are_encoded() -> None:
    data = toy(40)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)
    data = data._replace(observations=pixels, next_observations=pixels)
    shape = replace(SHAPE, observation_shape=(3, 8, 8))
    prior = train_prior(data, shape, replace(QUICK, updates=2))
    found = SkillData(data, shape.window)
    assert log_likelihoods(prior, found, found.safe).isfinite().all()
