"""K critics in one product are K separate networks."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from safer_gym.agents.networks import ensemble as ensemble_module
from safer_gym.agents.networks.ensemble import EnsembleMLP


def separate(ensemble: EnsembleMLP) -> list[nn.Sequential]:
    """The members as ordinary networks with the same weights."""
    members = []
    for k in range(ensemble.n_members):
        layers: list[nn.Module] = []
        for weight, bias in zip(ensemble.weights, ensemble.biases, strict=True):
            linear = nn.Linear(weight.shape[1], weight.shape[2], dtype=weight.dtype)
            linear.weight.data = weight.data[k].T.clone()
            linear.bias.data = bias.data[k, 0].clone()
            layers += [linear, type(ensemble.activation)()]
        members.append(nn.Sequential(*layers[:-1]))
    return members


def one_by_one(members: list[nn.Sequential], features: Tensor, actions: Tensor) -> Tensor:
    joined = torch.cat([features.expand(*actions.shape[:-1], -1), actions], dim=-1)
    return torch.stack([member(joined).squeeze(-1) for member in members])


def check_equal(ensemble: EnsembleMLP, features: Tensor, actions: Tensor) -> None:
    members = separate(ensemble)
    torch.testing.assert_close(
        ensemble(features, actions), one_by_one(members, features, actions), rtol=1e-9, atol=1e-10
    )


@settings(max_examples=25)
@given(
    lead=st.sampled_from([(), (1,), (7,), (2, 3)]),
    batch=st.integers(1, 5),
    dims=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    net_arch=st.sampled_from([[], [5], [8, 4]]),
    n_members=st.integers(1, 3),
    activation=st.sampled_from([nn.ReLU, nn.Tanh]),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients_are_those_of_separate_networks(
    lead: tuple[int, ...],
    batch: int,
    dims: tuple[int, int],
    net_arch: list[int],
    n_members: int,
    activation: type[nn.Module],
    seed: int,
) -> None:
    torch.manual_seed(seed)
    ensemble = EnsembleMLP(*dims, net_arch, n_members, activation).double()
    features = torch.randn(batch, dims[0], dtype=torch.float64, requires_grad=True)
    actions = torch.randn(*lead, batch, dims[1], dtype=torch.float64, requires_grad=True)
    check_equal(ensemble, features, actions)

    members = separate(ensemble)
    ours = ensemble(features, actions)
    theirs = one_by_one(members, features, actions)
    upstream = torch.randn_like(ours)
    by_ours = torch.autograd.grad(ours, (features, actions), upstream, retain_graph=True)
    by_theirs = torch.autograd.grad(theirs, (features, actions), upstream, retain_graph=True)
    for one, other in zip(by_ours, by_theirs, strict=True):
        torch.testing.assert_close(one, other)
    weights = list(ensemble.weights)
    for layer, grad in enumerate(torch.autograd.grad(ours, weights, upstream)):
        for k, member in enumerate(members):
            own = torch.autograd.grad(
                theirs[k], member[2 * layer].weight, upstream[k], retain_graph=True
            )[0]
            torch.testing.assert_close(grad[k], own.T)


@settings(max_examples=25)
@given(
    lead=st.sampled_from([(1,), (7,), (2, 3)]),
    batch=st.integers(1, 5),
    net_arch=st.sampled_from([[], [5], [8, 4]]),
    tile_rows=st.integers(1, 12),
    activation=st.sampled_from([nn.ReLU, nn.Tanh]),
)
def test_values_without_gradients_do_not_depend_on_the_tiles(
    lead: tuple[int, ...],
    batch: int,
    net_arch: list[int],
    tile_rows: int,
    activation: type[nn.Module],
) -> None:
    torch.manual_seed(0)
    net = EnsembleMLP(3, 2, net_arch, 2, activation).double()
    features = torch.randn(batch, 3, dtype=torch.float64)
    actions = torch.randn(*lead, batch, 2, dtype=torch.float64)
    before = actions.clone()
    with patch.object(ensemble_module, "TILE_ROWS", tile_rows), torch.no_grad():
        check_equal(net, features, actions)
    torch.testing.assert_close(actions, before, rtol=0, atol=0)


def test_the_check_rejects_states_paired_with_other_actions() -> None:
    """Specimen: a batch whose state part is laid over the wrong axis."""

    class Shifted(EnsembleMLP):
        def forward(self, features: Tensor, actions: Tensor) -> Tensor:
            return super().forward(features.roll(1, 0), actions)

    torch.manual_seed(0)
    ensemble = Shifted(3, 2, [8], 2).double()
    features = torch.randn(4, 3, dtype=torch.float64)
    actions = torch.randn(6, 4, 2, dtype=torch.float64)
    with pytest.raises(AssertionError):
        check_equal(ensemble, features, actions)


def test_an_untrained_member_starts_like_a_linear_layer() -> None:
    torch.manual_seed(0)
    ensemble = EnsembleMLP(60, 4, [256], 2)
    assert float(ensemble.weights[0].detach().abs().max()) == pytest.approx(1 / 8, rel=0.01)
    assert float(ensemble.weights[1].detach().abs().max()) == pytest.approx(1 / 16, rel=0.02)
