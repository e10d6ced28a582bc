"""What one update of a prior minimises, and what it draws for that."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from safer_gym.agents.data.offline import OfflineData, offline_data
from safer_gym.agents.skills.prior import PriorShape
from safer_gym.agents.skills.train import PriorTrainer, PriorTraining, train_prior

SHAPE = PriorShape((2,), 2, window=3, safety_size=2, layers=2, hidden=16)
QUICK = PriorTraining(updates=20, batch_size=400)


def data(action: float = 0.3, n: int = 60) -> OfflineData:
    """Every action is the same; every third step costs."""
    return offline_data({
        "observations": np.random.default_rng(0).normal(size=(n, 2)),
        "actions": np.full((n, 2), action), "rewards": np.zeros(n), "costs": np.arange(n) % 3 == 2,
        "terminals": np.arange(n) % 10 == 9, "timeouts": np.zeros(n),
    })  # fmt: skip


def trainer(**options: Any) -> PriorTrainer:
    return PriorTrainer(data(), SHAPE, replace(QUICK, **options))


@pytest.mark.parametrize("kl_weight", [1.0, 0.1])
def test_the_objective_is_equation_5_with_the_kl_of_both_batches(kl_weight: float) -> None:
    """Eq. (5), negated; the posterior before any training is not the standard normal."""
    made = trainer(unsafe_weight=0.5, floor=-1e9, kl_weight=kl_weight)
    alone = trainer(unsafe_weight=0.0, kl_weight=kl_weight).loss()
    found = made.loss()
    assert found.kl > alone.kl > 0.01
    torch.testing.assert_close(found.total, kl_weight * found.kl - found.safe + 0.5 * found.unsafe)
    torch.testing.assert_close(alone.total, kl_weight * alone.kl - alone.safe)
    found.kl.backward()
    assert made.prior.safety is not None
    assert made.prior.safety.head.weight.grad.abs().max() > 0


def test_c_is_a_sample_of_the_posterior() -> None:
    made = trainer()
    steps = made.data.steps(torch.full((4000,), 7))
    _, q = made.data.context(made.prior, steps)
    _, c, _ = made._sampled(steps)
    assert q is not None
    assert c is not None
    standard = (c - q.mean) / q.scale
    torch.testing.assert_close(standard.mean(dim=0), torch.zeros(2), atol=0.08, rtol=0)
    torch.testing.assert_close(standard.std(dim=0), torch.ones(2), atol=0.08, rtol=0)


def test_the_unsafe_term_is_the_one_that_was_chosen() -> None:
    """Where every sample lies below the floor, "floor" counts the floor and "freeze" the mean."""
    assert trainer(unsafe_term="floor", floor=50.0).loss().unsafe == 50.0
    assert trainer(unsafe_term="freeze", floor=50.0).loss().unsafe < 20.0


@pytest.mark.parametrize("blur", [0.0, 0.1])
def test_actions_are_blurred_uniformly_and_stay_in_the_box(blur: float) -> None:
    made, seen = PriorTrainer(data(0.95), SHAPE, replace(QUICK, blur=blur)), list[Tensor]()
    log_prob = made.prior.log_prob

    def noted(actions: Tensor, features: Tensor, c: Tensor | None) -> Tensor:
        seen.append(actions)
        return log_prob(actions, features, c)

    made.prior.log_prob = noted  # type: ignore[method-assign]
    made.loss()
    assert len(seen) == 2  # safe and unsafe
    for actions in seen:
        assert actions.min() >= 0.95 - blur - 1e-6
        assert actions.max() == min(1.0, 0.95 + blur)
        below = (0.95 - actions)[actions < 0.95]
        assert below.std() == pytest.approx(blur / math.sqrt(12), rel=0.2) if blur else True


def test_tensorboard_has_every_part_of_the_loss(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_prior(data(), SHAPE, replace(QUICK, batch_size=8), tensorboard=tmp_path)
    written = EventAccumulator(str(tmp_path)).Reload()
    for part in ("total", "safe", "unsafe", "kl"):
        assert [point.step for point in written.Scalars(f"prior/{part}")] == [20]
