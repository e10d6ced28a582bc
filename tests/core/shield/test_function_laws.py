"""A model that is the user's own function: what encloses it, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from shield_toys import DT, functional_mass, mass, mass_step, pendulum, tensor
from torch import Tensor, nn

from safer_gym.shield import Function, observe, predicted, prove, shielded
from safer_gym.shield.box import Box
from safer_gym.shield.fitting import Frame, Transitions, fit_part, leaving
from safer_gym.shield.mode import Mode

seeds = st.integers(0, 2**31)
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
SMOOTH = {
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "atan": torch.atan,
    "abs": torch.abs,
    "relu": torch.relu,
    "square": torch.square,
    "cube": lambda x: x**3,
    "clamp": lambda x: x.clamp(-0.5, 0.7),
    "exp": lambda x: torch.exp(0.3 * x),
    "inverse": lambda x: 1 / (2 + x**2),
    "root": lambda x: torch.sqrt(1.5 + torch.cos(x)),
    "log": lambda x: torch.log(3 + torch.sin(x)),
    "reflected": lambda x: 1 - tensor(2.0) * x,
}


def random_function(seed: int) -> Any:
    """Two coordinates and one action through random operations, three deep."""
    random = torch.Generator().manual_seed(seed)
    names = sorted(SMOOTH)

    def pick(n: int) -> int:
        return int(torch.randint(0, n, (1,), generator=random))

    steps = [(names[pick(len(names))], pick(4), pick(3), pick(3)) for _ in range(6)]
    matrix = torch.randn(3, 3, generator=random).double()

    def call(z: Any, u: Any) -> Any:
        x = torch.cat([z, u], -1) @ matrix
        for name, kind, i, j in steps:
            entry = SMOOTH[name](x[..., i])
            other = x[..., j]
            mixed = (entry + other, entry * other, entry - other, entry)[kind]
            x = torch.stack([x[..., 1], x[..., 2], 0.5 * mixed], -1)
        return x[..., 1:]

    return call


def boxes(seed: int, n: int, width: float) -> tuple[Box, Box]:
    random = torch.Generator().manual_seed(seed)
    low = 4 * torch.rand(n, 3, generator=random).double() - 2
    wide = width * torch.rand(n, 3, generator=random).double()
    return Box(low[:, :2], (low + wide)[:, :2]), Box(low[:, 2:], (low + wide)[:, 2:])


def seen(call: Any) -> Function:
    one = torch.ones(1, 2).double()
    return Function.of(call, Box(-one, one), Box(-one[:, :1], one[:, :1]))


@given(seeds, st.sampled_from([0.0, 1e-3, 0.1, 1.0, 4.0]))
@settings(max_examples=10, deadline=None, phases=QUICK)
def test_every_value_lies_in_the_enclosure(seed: int, width: float) -> None:
    function, (states, actions) = seen(random_function(seed)), boxes(seed, 16, width)
    random = torch.Generator().manual_seed(seed + 1)
    A, B, c = (torch.randn(2, n, generator=random).double() for n in (2, 1, 1))
    low, high = function.over(states, actions).beyond(A, B, c[:, 0])
    for _ in range(40):
        share = torch.rand(16, 3, generator=random).double().round(decimals=1)
        z = states.low + share[:, :2] * (states.high - states.low)
        u = actions.low + share[:, 2:] * (actions.high - actions.low)
        left = function(z, u) - z @ A.mT - u @ B.mT - c[:, 0]
        room = 1e-12 * (1 + left.abs())
        assert bool(((left >= low - room) & (left <= high + room)).all())


@given(seeds)
@settings(max_examples=6, deadline=None, phases=QUICK)
def test_a_smaller_box_has_no_wider_enclosure(seed: int) -> None:
    """What `prove` shows of a cell must hold in each box of it."""
    function, (states, actions) = seen(random_function(seed)), boxes(seed, 32, 1.0)
    share = torch.rand(2, 32, 3, generator=torch.Generator().manual_seed(seed)).double().sort(0)[0]
    A, B, c = torch.eye(2).double(), torch.ones(2, 1).double(), torch.zeros(2).double()
    inner = [
        Box(*(box.low + part * (box.high - box.low) for part in (share[0, :, k], share[1, :, k])))
        for box, k in ((states, slice(0, 2)), (actions, slice(2, 3)))
    ]
    big, small = (
        function.over(states, actions).beyond(A, B, c),
        function.over(*inner).beyond(A, B, c),
    )
    room = 1e-9 * (1 + big.high.abs() + big.low.abs())
    assert bool((small.low >= big.low - room).all())
    assert bool((small.high <= big.high + room).all())


def test_the_enclosure_is_tight() -> None:
    """Of second order: half of the width, a quarter of what the linear part leaves over."""
    function = seen(lambda z, u: torch.sin(z) + u)
    A, B, c = torch.eye(2).double(), torch.ones(2, 1).double(), torch.zeros(2).double()
    widths = []
    for half in (0.2, 0.1, 0.05):
        ends = torch.full((1, 2), half).double()
        low, high = function.over(Box(-ends, ends), Box(-ends[:, :1], ends[:, :1])).beyond(A, B, c)
        widths.append(float((high - low).max()))
    assert widths[1] < 0.3 * widths[0]
    assert widths[2] < 0.3 * widths[1]


class Branching(nn.Module):
    def forward(self, z: Any, u: Any) -> Any:
        return z + u if bool((z > 0).all()) else z


def changed(z: Any) -> Any:
    """Changes a constant of its own: nothing of that is seen in what it returns."""
    found = torch.zeros(z.shape, dtype=z.dtype)
    found.add_(z)
    return found


MATRIX = torch.eye(2).double()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Branching(), "branch"),
        (lambda z, u: torch.erf(z), "torch's erf"),
        (lambda z, u: torch.where(z[..., :1] > 0, z, -z), "branch"),
        (lambda z, u: z - z.mean(0), "cannot be enclosed"),
        (lambda z, u: z - z.sum(0), "axis of the batch"),
        (lambda z, u: z**0.5 * 0 + z, "finite|power"),
        (lambda z, u: z[0] + 0 * z, r"write z\[..., i\]"),
        (lambda z, u: torch.stack([z[..., 0], z[..., 0]], 0).mT, "axis of the batch"),
        (lambda z, u: MATRIX @ z.mT, "cannot be enclosed|shape"),
        (lambda z, u: z.numpy(), "cannot be enclosed|return a tensor"),
        (lambda z, u: z[..., 0], "shape"),
        (lambda z, u: torch.log(z), "finite"),
        (lambda z, u: torch.zeros(z.shape).double(), "made of its arguments"),
        (lambda z, u: z * float(u[0, 0]), "index|branch"),
        (lambda z, u: changed(z), "torch's add_"),
        (lambda z, u: z.detach(), "cannot be enclosed"),
    ],
)
def test_what_cannot_be_enclosed_is_refused(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        seen(call)


def test_a_function_that_tells_ranges_from_tensors_is_refused() -> None:
    def two_faced(z: Any, u: Any) -> Any:
        return pendulum(z, u if isinstance(u, torch.Tensor) else 0.5 * u)

    with pytest.raises(ValueError, match=r"what it says of tensors; not so at \["):
        seen(two_faced)


def test_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match="function f"):
        seen(3)


def test_a_network_may_be_the_model() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    net.double()
    function = seen(lambda z, u: z + net(torch.cat([z, u], -1)))
    states, actions = boxes(0, 8, 0.2)
    zero = torch.zeros(2, 2).double()
    low, high = function.over(states, actions).beyond(zero, zero[:, :1], zero[0])
    value = function((states.low + states.high) / 2, (actions.low + actions.high) / 2)
    assert bool(((low <= value) & (value <= high)).all())
    assert float((high - low).max()) < 2


# The mass, whose model is linear, given as a function; and a pendulum, whose is not.


def test_a_linear_function_is_the_linear_model() -> None:
    linear, given_function = mass(), functional_mass()
    one, two = prove(linear), prove(given_function)
    assert two.holds
    assert (one.holds, one.cells) == (two.holds, two.cells)
    assert one.margin == pytest.approx(two.margin, abs=1e-10)
    again = given_function.with_rows()
    assert prove(again).holds
    assert torch.allclose(again.rows, linear.rows, atol=1e-8)
    assert torch.allclose(again.limits, linear.limits, atol=1e-8)


@given(seeds)
@settings(max_examples=5, deadline=None, phases=QUICK)
def test_a_linear_function_filters_as_the_linear_model(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    z = 6 * torch.rand(32, 2, generator=random).double() - 3
    task = 2 * torch.rand(32, 1, generator=random).double() - 1
    answers, boxes_after = [], []
    for part in (mass(), functional_mass()):
        box = observe(part, z, part.nowhere(32)).box
        answers.append(shielded(part, box, task))
        boxes_after.append(predicted(part, box, answers[-1]))
    assert torch.allclose(answers[0].action, answers[1].action, atol=1e-7)
    assert torch.equal(answers[0].backup, answers[1].backup)
    assert torch.equal(answers[0].feasible, answers[1].feasible)
    for a, b in zip(*boxes_after, strict=True):
        assert torch.allclose(a, b, atol=1e-7)


def test_actions_that_are_moved_widen_both_alike() -> None:
    linear, given_function = (part.widened(action=0.3) for part in (mass(), functional_mass()))
    for a, b in zip(linear.modes, given_function.modes, strict=True):
        assert torch.allclose(a.high, b.high, atol=1e-9)
    assert prove(given_function).holds


@cache
def fitted(model: Any, error: float = 0.002, h: float = 1.4) -> Any:
    """A pendulum's part with data of the true one."""
    random = torch.Generator().manual_seed(0)
    z = (2 * torch.rand(2000, 2, generator=random).double() - 1) * tensor([h, 2.0])
    u = torch.randint(0, 3, (2000, 1), generator=random).double() - 1
    wind = error * (2 * torch.rand(2000, generator=random).double() - 1)
    after = pendulum(z, u)
    after[:, 1] += wind
    eye = torch.eye(2).double()
    frame = Frame(
        ("angle", "rate"),
        eye,
        tensor([0, 0]),
        tensor([0.02, 0.02]),
        (0,),
        tensor([-1]),
        tensor([1]),
        torch.cat([eye, -eye]),
        tensor([h, 2, h, 2]),
    )
    data = Transitions(z, u, after, torch.full((2000,), -1))
    return fit_part(frame, data, margin=0.25, model=model), data


def test_a_pendulum_is_proved_where_a_linear_model_is_refused() -> None:
    part, data = fitted(pendulum)
    assert part.function is not None
    assert part.function.name == "shield_toys:pendulum"
    assert prove(part).holds
    assert not bool(leaving(part, data).any())
    assert float(part.free.high[1]) < 0.003  # of the wind alone
    with pytest.raises(ValueError, match="too weak"):
        fitted(None)


def test_no_lie_leads_a_pendulum_out() -> None:
    part, _ = fitted(pendulum)
    random = torch.Generator().manual_seed(3)
    z = (2 * torch.rand(4000, 2, generator=random).double() - 1) * tensor([1.4, 2.0])
    z = z[(z @ part.rows.mT <= part.limits).all(1)][:64]
    prior = part.nowhere(len(z))
    for step in range(80):
        if step % 5 == 0:
            lie = torch.randint(-1, 2, z.shape, generator=random).double()
            lie[:32] = -z[:32].sign()
            task = z[:, :1].sign()
        box = observe(part, z + lie * part.reach, prior)
        assert not bool(box.alarm.any())
        assert bool(((z >= box.box.low - 1e-9) & (z <= box.box.high + 1e-9)).all())
        answer = shielded(part, box.box, task)
        assert bool(answer.feasible.all())
        prior = predicted(part, box.box, answer)
        z = pendulum(z, answer.action)
        z[:, 1] += 0.002 * task[:, 0]
        assert bool((z @ part.rows.mT <= part.limits + 1e-9).all())


def test_a_wrong_function_is_seen() -> None:
    """The negative controls: gravity with the wrong sign, and a proof for another world."""

    def wrong(z: Any, u: Any) -> Any:
        return pendulum(-z, -u) + 2 * z

    with pytest.raises(ValueError, match=r"too weak|empty"):
        fitted(wrong)
    part, data = fitted(pendulum)
    assert part.function is not None
    with pytest.raises(ValueError, match="other values"):
        part.function.given(wrong)
    other = replace(part, function=replace(part.function, call=wrong))
    assert bool(leaving(other, data).any())

    def stronger(z: Any, u: Any) -> Any:
        x, v, push = z[..., 0], z[..., 1], u[..., 0]
        return torch.stack([x + DT * v, v + DT * (3.0 * torch.sin(x) + 1.2 * push)], -1)

    assert (
        "no backup" in prove(replace(part, function=replace(part.function, call=stronger))).reason
    )


def test_a_file_names_a_function_and_holds_none() -> None:
    part, _ = fitted(pendulum)
    data = part.to_json()
    named = type(part).from_json(data)
    assert named.to_json() == data
    with pytest.raises(ValueError, match="files hold no code"):
        prove(named)
    same = type(part).from_json(data, pendulum)
    assert prove(same) == prove(part)
    with pytest.raises(ValueError, match="other values"):
        type(part).from_json(data, mass_step)
    with pytest.raises(ValueError, match="linear"):
        type(part).from_json(mass().to_json(), pendulum)
    with pytest.raises(ValueError, match="name, points and values"):
        type(part).from_json({**data, "function": {"name": "a:b"}})


def test_h_must_bound_what_a_function_is_looked_at_in() -> None:
    part = functional_mass()
    bare = replace(part, rows=part.rows[:2], limits=part.limits[:2], facets=2)
    with pytest.raises(ValueError, match="every coordinate"):
        bare.with_rows()


def test_error_without_a_function_is_the_interval() -> None:
    mode: Mode = mass().free
    low, high = mode.error(None)
    assert torch.equal(low[0], mode.low)
    assert torch.equal(high[0], mode.high)
    assert isinstance(low, Tensor)
