"""Laws of the flow: it inverts, and its density is one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd.functional import jacobian

from safer_gym.agents.skills.flow import EDGE, CouplingFlow
from safer_gym.agents.skills.zuko_flow import ZukoFlow
from safer_gym.conformance.loading import load_policy

KINDS = ("coupling", "realnvp", "nsf")


def flow_of(kind: str, size: int, seed: int, context: int = 2) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "coupling":
            return CouplingFlow(size, context, layers=3, hidden=16).double()
        pytest.importorskip("zuko")
        return ZukoFlow(kind, size, context, layers=3, hidden=16).double()


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.sampled_from(KINDS), st.integers(1, 5), st.integers(0, 1000))
def test_inverts(kind: str, size: int, seed: int) -> None:
    flow, context = flow_of(kind, size, seed), normal(seed + 1, 7, 2)
    actions = (1 - 2 * EDGE) * normal(seed, 7, size).tanh()
    z, log_det = flow.inverse(actions, context)
    back, back_det = flow(z, context)
    torch.testing.assert_close(back, actions, atol=1e-5, rtol=0)
    torch.testing.assert_close(back_det, -log_det, atol=1e-5, rtol=1e-5)


def float32_flow(is_packaged: bool) -> tuple[Any, torch.Tensor]:
    """The flow of the packaged prior, or an untrained one of its sizes, and contexts [B, X]."""
    prior = load_policy("operation-13/skill-safer").policy.prior
    width = prior.encoder.features + prior.shape.safety_size
    flow = prior.flow
    if not is_packaged:
        shape = prior.shape
        with torch.random.fork_rng():
            torch.manual_seed(0)
            flow = CouplingFlow(shape.action_size, width, shape.layers, shape.hidden)
    return flow.requires_grad_(False), normal(1, 2000, width).float()


@pytest.mark.parametrize("is_packaged", [False, True])
def test_actions_are_found_again_in_float32(is_packaged: bool) -> None:
    flow, context = float32_flow(is_packaged)
    actions = (1 - 2 * EDGE) * normal(0, len(context), flow.size).tanh().float()
    back, _ = flow(flow.inverse(actions, context)[0], context)
    torch.testing.assert_close(back, actions, atol=1e-5, rtol=0)


def test_latent_actions_are_found_again_where_the_tanh_does_not_saturate() -> None:
    flow, context = float32_flow(is_packaged=True)
    z = 0.42 * normal(0, len(context), flow.size).tanh().float()
    actions, _ = flow(z, context)
    error = (flow.inverse(actions, context)[0] - z).abs().amax(dim=1)
    is_inside = (actions.abs() < 1 - EDGE).all(dim=1)
    assert error[is_inside].max() < 1e-3
    assert error[~is_inside].max() > 1.0


@given(st.sampled_from(KINDS), st.integers(1, 4), st.integers(0, 1000))
def test_log_det_is_that_of_the_jacobian(kind: str, size: int, seed: int) -> None:
    flow, context = flow_of(kind, size, seed), normal(seed + 1, 1, 2)
    z = normal(seed, 1, size)
    found = jacobian(lambda x: flow(x[None], context)[0][0], z[0])
    torch.testing.assert_close(torch.linalg.slogdet(found).logabsdet, flow(z, context)[1][0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2])
def test_density_integrates_to_one(kind: str, size: int) -> None:
    flow = flow_of(kind, size, seed=3)
    per_axis = 4001 if size == 1 else 401
    width = 2 * (1 - EDGE) / per_axis  # midpoints: those behind the edge count as at the edge
    axis = torch.linspace(EDGE - 1 + width / 2, 1 - EDGE - width / 2, per_axis).double()
    points = torch.cartesian_prod(*[axis] * size).reshape(-1, size)
    context = normal(5, 1, 2).expand(len(points), 2)
    mass = flow.log_prob(points, context).exp().sum().item() * width**size
    assert mass == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_context_counts_and_every_entry_moves(kind: str) -> None:
    flow, z = flow_of(kind, 3, seed=0), normal(0, 4, 3)
    first, second = (flow(z, normal(seed, 4, 2))[0] for seed in (1, 2))
    assert ((first - second).abs() > 1e-6).any(dim=0).all()


def test_density_is_finite_at_the_ends_of_the_box() -> None:
    flow = flow_of("coupling", 2, seed=0)
    ends = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
    assert flow.log_prob(ends, normal(0, 2, 2)).isfinite().all()


def test_deep_latent_actions_stay_in_the_box_with_a_finite_slope() -> None:
    flow = flow_of("coupling", 2, seed=0)
    actions, log_det = flow(300.0 * normal(0, 8, 2), normal(1, 8, 2))
    assert actions.abs().max() <= 1
    assert log_det.isfinite().all()
