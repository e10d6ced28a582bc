"""Actions of every space as rows, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

from safer_gym.wrappers.action_rows import action_rows, moved_actions

DISCRETE = [
    spaces.Discrete(3),
    spaces.Discrete(3, start=-1),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiDiscrete([[2, 3], [1, 4]]),
    spaces.MultiBinary(3),
    spaces.MultiBinary([2, 2]),
]
BOXES = [spaces.Box(-1.0, 2.0, (3,)), spaces.Box(0.0, 1.0, (2, 2), np.float64)]


@pytest.mark.parametrize("space", [*DISCRETE, *BOXES], ids=str)
def test_a_row_becomes_the_action_that_it_was(space: spaces.Space) -> None:
    rows = action_rows(space)
    space.seed(0)
    actions = [space.sample() for _ in range(20)]
    packed = rows.pack(np.array(actions))
    assert packed.shape == (20, rows.width)
    for action, row in zip(actions, packed.numpy(), strict=True):
        again = rows.legal(row)
        assert space.contains(again)
        np.testing.assert_allclose(again, action, rtol=1e-6)
    assert torch.equal(rows.clipped(packed), packed)


@pytest.mark.parametrize("space", DISCRETE, ids=str)
def test_scores_are_told_from_actions(space: spaces.Space) -> None:
    rows = action_rows(space)
    space.seed(1)
    logits = torch.randn(5, rows.width, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rows.scores(logits), logits)
    actions = np.array([space.sample() for _ in range(5)])
    assert torch.equal(rows.pack(rows.scores(actions)), rows.pack(actions))
    floats = rows.pack(actions.astype(np.float32))
    assert torch.equal(floats, rows.pack(actions))


def test_one_logit_a_bit_is_that_of_a_one() -> None:
    rows = action_rows(spaces.MultiBinary(2))
    scores = rows.scores(torch.tensor([[1.5, -0.5]]))
    assert scores.tolist() == [[0.0, 1.5, 0.0, -0.5]]
    assert rows.legal(rows.pack(torch.tensor([[1.5, -0.5]]))[0].numpy()).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("space", "answers", "words"),
    [
        (spaces.Discrete(3), np.array([3]), "no action of Discrete"),
        (spaces.Discrete(3), np.array([0.5]), "no action of Discrete"),
        (spaces.Discrete(3), np.array([[0, 1]]), "1 integer, or 3 logits"),
        (spaces.MultiDiscrete([2, 3]), np.array([[0, 3]]), "no action of MultiDiscrete"),
        (spaces.MultiBinary(2), np.zeros((1, 3)), "2 integers, or 2 logits"),
        (spaces.Discrete(3), np.array(["left"]), "an action of numbers"),
        (spaces.Discrete(3), np.array(None), "an action of numbers"),
    ],
)
def test_answers_that_are_no_actions_are_refused(
    space: spaces.Space, answers: np.ndarray, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        action_rows(space).scores(answers)


def test_other_spaces_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="must be a Box, Discrete, MultiDiscrete or MultiBinary"):
        action_rows(spaces.Tuple([spaces.Discrete(2)]))
    with pytest.raises(TypeError, match="have no distance: attack the observations"):
        moved_actions(spaces.Discrete(2))
    assert moved_actions(BOXES[0]) is BOXES[0]
