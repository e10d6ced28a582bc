"""A network as one operation of autograd has the gradients of its layers one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from safer_gym.networks import Layer, mlp

Network = Callable[[Tensor, Sequence[Layer], str], Tensor]


def one_by_one(inputs: Tensor, layers: Sequence[Layer], activation: str) -> Tensor:
    for weight, bias in layers[:-1]:
        inputs = getattr(torch, activation)(inputs @ weight + bias)
    return inputs @ layers[-1].weight + layers[-1].bias


def random_layers(members: int | None, sizes: Sequence[int], turned: bool) -> list[Layer]:
    """Layers without the axis of members for None; `turned` ones lie as torch.nn.Linear's do."""
    generator = torch.Generator().manual_seed(0)
    lead, layers = () if members is None else (members,), []
    for i, o in pairwise(sizes):
        options = {"dtype": torch.float64, "generator": generator}
        shape = (*lead, o, i) if turned else (*lead, i, o)
        weight = torch.randn(shape, **options)
        bias = torch.randn((*lead, 1, o) if lead else o, **options)
        layers.append(Layer(weight.mT if turned else weight, bias))
    return layers


def check_gradients(network: Network, layers: Sequence[Layer], activation: str) -> None:
    inputs = torch.randn(4, layers[0].weight.shape[-2], dtype=torch.float64)
    leaves = [inputs, *(part for layer in layers for part in layer)]
    for leaf in leaves:
        leaf.requires_grad_(True)
    ours, theirs = network(inputs, layers, activation), one_by_one(inputs, layers, activation)
    theirs = theirs[0] if theirs.shape[0] == 1 else theirs  # a single member has no axis
    torch.testing.assert_close(ours, theirs)
    upstream = torch.randn_like(theirs)
    found = torch.autograd.grad(ours, leaves, upstream, retain_graph=True)
    again = torch.autograd.grad(ours, leaves, upstream)
    expected = torch.autograd.grad(theirs, leaves, upstream)
    for one, other, twice in zip(found, expected, again, strict=True):
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(one, twice, rtol=0, atol=0)


@settings(max_examples=25)
@given(
    members=st.sampled_from([None, 1, 2, 3]),
    hidden=st.sampled_from([[], [4], [6, 3]]),
    outputs=st.integers(1, 3),
    activation=st.sampled_from(["relu", "tanh"]),
    turned=st.booleans(),
)
def test_gradients_are_those_of_the_layers_one_by_one(
    members: int | None, hidden: list[int], outputs: int, activation: str, turned: bool
) -> None:
    layers = random_layers(members, [2, *hidden, outputs], turned)
    check_gradients(mlp, layers, activation)


def test_the_check_rejects_a_network_that_forgets_a_bias() -> None:
    def forgetful(inputs: Tensor, layers: Sequence[Layer], activation: str) -> Tensor:
        (weight, bias), *others = layers
        return mlp(inputs, [Layer(weight, bias.detach().clone()), *others], activation)

    with pytest.raises(RuntimeError, match="not have been used"):
        check_gradients(forgetful, random_layers(2, [2, 4, 1], False), "relu")


def test_a_weight_that_changed_since_is_an_error() -> None:
    layers = random_layers(None, [2, 4, 1], turned=True)
    for weight, _ in layers:
        weight.requires_grad_(True)
    loss = mlp(torch.randn(3, 2, dtype=torch.float64), layers, "tanh").sum()
    with torch.no_grad():
        layers[1].weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
