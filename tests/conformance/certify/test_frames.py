"""Stacked frames are recognised by what they do, whoever stacks them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from certify_toys import Line, Push
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from safer_gym.conformance.certify import certify
from safer_gym.conformance.certify.frames import stacks_frames
from safer_gym.conformance.certify.verify import verify


class Remembering(gym.Wrapper):
    """Specimen: a stack of two frames that no wrapper's name gives away."""

    observation_space = gym.spaces.Box(-10.0, 10.0, (2,), np.float32)

    def reset(self, **options: Any) -> tuple[np.ndarray, dict]:
        obs, info = self.env.reset(**options)
        self.old = obs
        return np.concatenate([obs, obs]), info

    def step(self, action: Any) -> Any:
        obs, *rest = self.env.step(action)
        both, self.old = np.concatenate([self.old, obs]), obs
        return both, *rest


def half_way_home() -> nn.Module:
    network = nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, -0.5]]))
        network.bias.zero_()
    return network


def test_a_stack_without_a_name_needs_a_declared_ball() -> None:
    asked = "P(cost > 2) <= 0.2 at eps = 0.02 for every adversary"
    options = {"requirement": asked, "action_noise": 0.2, "battery": {"push": Push()}}
    refused = certify(half_way_home(), lambda: Remembering(Line()), episodes=25, **options)
    assert "the observation stacks frames" in refused.requirements[0].why
    assert refused.verdict == "INCONCLUSIVE"
    assert verify(refused) == ()
    scale = [1.0, 1.0]
    declared = certify(
        half_way_home(), lambda: Remembering(Line()), episodes=25, scale=scale, **options
    )
    assert declared.row(0.02).rate.upper_every.refused is None
    assert verify(declared) == ()


@given(
    st.integers(0, 1000),
    st.integers(2, 4),
    st.sampled_from([(), (3,), (2, 2)]),
    st.integers(0, 2),
    st.booleans(),
)
def test_stacks_of_any_form_are_recognised(
    seed: int, n_frames: int, inner: tuple[int, ...], axis: int, newest_first: bool
) -> None:
    """Frames side by side along any axis, and no stack once a frame is another."""
    rng = np.random.default_rng(seed)
    axis = min(axis, max(len(inner) - 1, 0))
    frames = rng.normal(size=(20 + n_frames, *(inner or (1,))))
    order = range(n_frames)[::-1] if newest_first else range(n_frames)
    stack = np.concatenate([frames[k : k + 20] for k in order], axis=axis + 1)
    assert stacks_frames([stack[:9], stack[9:]])
    assert stacks_frames([stack.reshape(20, -1)]) or (inner and axis > 0)
    spoiled = stack.copy()
    spoiled[7] += 1.0
    assert not stacks_frames([spoiled])


@pytest.mark.parametrize(
    "obs",
    [
        np.zeros((50, 4)),
        np.arange(50.0)[:, None] * np.ones(1),
        np.random.default_rng(0).normal(size=(50, 6)),
        np.random.default_rng(0).integers(0, 2, size=(50, 4)).astype(float),
        np.concatenate([np.zeros((3, 4)), np.ones((3, 4))]),
    ],
)
def test_what_is_no_stack_is_none(obs: np.ndarray) -> None:
    assert not stacks_frames([obs])
