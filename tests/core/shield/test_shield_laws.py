"""A shield whose model is right is never left; one that is wrong shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from shield_toys import Loop, mass, tensor

from safer_gym.shield import Part, observe, prove, shielded
from safer_gym.shield.box import Box, Support
from safer_gym.shield.safe_support import SafeSupport

seeds = st.integers(0, 2**31)
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)


def starts(part: Part, n: int, generator: torch.Generator) -> torch.Tensor:
    z = (torch.rand(4000, 2, generator=generator).double() * 2 - 1) * 3
    return z[(z @ part.rows.mT <= part.limits).all(1)][:n]


def played(loop: Loop, generator: torch.Generator, steps: int = 60) -> torch.Tensor:
    """Corners of what an adversary may do, held for a while; in half the rows the greedy lie."""
    n, worst = len(loop.z), torch.full((len(loop.z),), -np.inf).double()
    lie = error = task = None
    for step in range(steps):
        if step % 7 == 0:
            lie = torch.randint(-1, 2, (n, 2), generator=generator).double()
            error = torch.randint(-1, 2, (n,), generator=generator).double()
            task = torch.rand(n, 1, generator=generator).double() * 2 - 1
            side = loop.z[: n // 2].sign()
            lie[: n // 2], error[: n // 2] = -side, side[:, 0]
            task[: n // 2] = side[:, :1]
        loop.step(lie, task, error)
        worst = torch.maximum(worst, loop.z[:, 0].abs())
    return worst


@given(seeds, st.sampled_from([(0.0, 0.0), (0.2, 0.1), (0.5, 0.2)]))
@settings(max_examples=4, deadline=None, phases=QUICK)
def test_no_lie_leads_out_of_the_safe_set(seed: int, reach: tuple[float, float]) -> None:
    part, generator = mass(reach=reach), torch.Generator().manual_seed(seed)
    loop = Loop(part, starts(part, 64, generator))
    assert bool((played(loop, generator, 60) <= 3).all())
    assert bool(loop.inside().all())
    assert not bool(loop.alarm.any())


@given(seeds)
@settings(max_examples=4, deadline=None, phases=QUICK)
def test_the_box_holds_the_state(seed: int) -> None:
    part, generator = mass(), torch.Generator().manual_seed(seed)
    loop = Loop(part, starts(part, 64, generator))
    for _ in range(20):
        before = loop.z.clone()
        lie = torch.rand(64, 2, generator=generator).double() * 2 - 1
        loop.step(lie, torch.ones(64, 1).double(), lie[:, 0])
        assert bool(((before >= loop.box.low - 1e-9) & (before <= loop.box.high + 1e-9)).all())


def test_lies_must_fit_the_dynamics() -> None:
    """A lie that jumps leaves less room than one that stays."""
    part = mass()
    still, jumping = (Loop(part, torch.zeros(1, 2).double()) for _ in range(2))
    for step in range(20):
        idle = torch.zeros(1, 1).double()
        still.step(tensor([[1, 0]]), idle, tensor([0]))
        jumping.step(tensor([[1.0 - 2 * (step % 2), 0]]), idle, tensor([0]))
    width = [float((loop.box.high - loop.box.low)[0, 0]) for loop in (still, jumping)]
    assert width[1] < 0.5 * width[0]


def test_a_larger_eps_than_built_for_raises_the_alarm_or_leaves() -> None:
    """The negative control: built for half, and for nothing."""
    for share in (0.5, 0.0):
        small = mass(reach=(0.5 * share, 0.2 * share))
        generator = torch.Generator().manual_seed(0)
        loop = Loop(small, starts(small, 64, generator), true=mass(reach=(0.5, 0.2)))
        worst = played(loop, generator, 60)
        assert bool((worst > 3).any()) or float(loop.alarm.double().mean()) > 0.5


def test_too_small_an_error_lets_the_state_out() -> None:
    sure = mass(error=0.0)
    generator = torch.Generator().manual_seed(1)
    loop = Loop(sure, starts(sure, 64, generator), true=mass(error=0.08))
    assert bool((played(loop, generator, 120) > 3).any()) or bool(loop.alarm.any())


def test_a_backup_weaker_than_the_error_is_refused() -> None:
    assert prove(mass(error=0.05)).holds
    with pytest.raises(ValueError, match=r"too weak|empty"):
        mass(error=0.05, brake=0.4)


@pytest.mark.parametrize("reach", [(0.0, 0.0), (0.2, 0.1), (0.5, 0.2)])
def test_it_can_always_go_on(reach: tuple[float, float]) -> None:
    assert prove(mass(reach=reach)).holds


def test_the_proof_refuses_wrong_safe_sets() -> None:
    part = mass()
    assert prove(part).holds
    assert prove(part).margin > 0
    later = part.limits.clone()
    later[part.facets :] += 0.05
    assert not prove(replace(part, limits=later)).holds
    bare = replace(part, rows=part.rows[: part.facets], limits=part.limits[: part.facets])
    assert "near x" in prove(bare).reason
    weak = tuple(b._replace(action=0.5 * b.action) for b in part.backups)
    assert not prove(replace(part, backups=weak)).holds
    assert not prove(replace(part, backups=part.backups[:1])).holds
    wide = tuple(b._replace(mode=b.mode.wider(tensor([0, 0.02]))) for b in part.backups)
    assert not prove(replace(part, backups=wide)).holds
    turned = tuple(b._replace(action=-b.action) for b in part.backups[:1])
    assert not prove(replace(part, backups=turned)).holds


def test_open_and_empty_sets_are_refused() -> None:
    part = mass()
    assert (
        "unbounded"
        in prove(replace(part, rows=part.rows[:1], limits=part.limits[:1], facets=1)).reason
    )
    crossed = replace(part, limits=torch.cat([tensor([-4]), part.limits[1:]]))
    assert "empty" in prove(crossed).reason


def test_a_set_as_narrow_as_the_lies_is_refused() -> None:
    """Both sides cannot be kept by one action if either may be near."""
    assert not prove(mass(reach=(2.9, 2.0))).holds


def test_room_for_adversaries_behind_the_policy() -> None:
    """A wider error makes a smaller safe set, which is proved; one beyond the backup, none."""
    part = mass()
    ready = part.widened(action=0.3)
    assert float(ready.free.high[1]) == pytest.approx(0.02 + 0.1 * 0.3)
    assert prove(ready).holds
    corner = tensor([2.0, 1.2])
    assert bool((part.rows @ corner <= part.limits).all())
    assert not bool((ready.rows @ corner <= ready.limits).all())
    for too_much in ({"action": 1.2}, {"state": (0.0, 0.2)}):
        with pytest.raises(ValueError, match=r"too weak|empty"):
            part.widened(**too_much)


@given(seeds)
@settings(max_examples=8, deadline=None, phases=QUICK)
def test_the_support_is_above_the_optimum_and_near_it(seed: int) -> None:
    part, random = mass(), np.random.default_rng(seed)
    wanted = tensor(random.normal(size=(3, 2)))
    low = tensor(random.uniform(-2.5, 2.0, (1, 2)))
    box = Box(low, low + tensor(random.uniform(0, 0.8, (1, 2))))
    bound = SafeSupport(wanted, part.rows, part.limits)(box)[0]
    for row, value in zip(wanted, bound, strict=True):
        ends = list(zip(box.low[0].tolist(), box.high[0].tolist(), strict=True))
        best = linprog(-row.numpy(), part.rows.numpy(), part.limits.numpy(), bounds=ends)
        if best.status == 0:
            assert float(value) >= -best.fun - 1e-9
    assert bool((bound <= Support(wanted)(box)[0] + 1e-12).all())


@given(seeds)
@settings(max_examples=5, deadline=None, phases=QUICK)
def test_an_action_is_left_alone_where_it_is_safe(seed: int) -> None:
    part, generator = mass(), torch.Generator().manual_seed(seed)
    z = starts(part, 64, generator)
    box = observe(part, z, part.nowhere(len(z))).box
    task = torch.rand(len(z), 1, generator=generator).double() * 2 - 1
    answer = shielded(part, box, task)
    assert bool(answer.feasible.all())
    assert bool((answer.action[~answer.moved] == task[~answer.moved]).all())
    again = shielded(part, box, answer.action)
    assert bool(((again.action - answer.action).abs() < 1e-4)[answer.backup < 0].all())


def test_json_and_what_it_refuses() -> None:
    part = mass()
    data = part.to_json()
    same = Part.from_json(data)
    assert same.to_json() == data
    assert prove(same).holds
    with pytest.raises(ValueError, match="keys"):
        Part.from_json({**data, "more": 1})
    with pytest.raises(ValueError, match="finite"):
        Part.from_json({**data, "limits": [float("nan")] * len(part.limits)})
    with pytest.raises(ValueError, match="shape"):
        Part.from_json({**data, "reach": [1.0]})
    with pytest.raises(ValueError, match="numbers"):
        Part.from_json({**data, "rows": "rows"})
