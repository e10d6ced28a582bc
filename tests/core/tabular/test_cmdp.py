"""Problems are checked at the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from safer_gym.tabular import line_balls, make_cmdp, unattacked

P = np.full((2, 3, 2), 0.5)


def test_shapes_broadcast_and_arrivals_are_paid() -> None:
    cmdp = make_cmdp(P, [0.0, 1.0], gamma=0.9)
    assert cmdp.costs.shape == (2, 3, 2)
    assert (cmdp.costs[..., 1] == 1).all()
    assert (cmdp.n_states, cmdp.n_actions) == (2, 3)
    assert np.array_equal(cmdp.balls, np.eye(2, dtype=bool))
    assert cmdp.start.sum() == 1
    batch = make_cmdp(np.stack([P, P]), 1.0, gamma=[0.5, 0.9], balls=line_balls(2, 1))
    assert batch.balls.shape == (2, 2, 2)
    assert not unattacked(batch).balls[:, 0, 1].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transitions": np.ones((2, 3, 2))}, "transitions must be >= 0 and sum to 1"),
        ({"transitions": np.ones((2, 3))}, r"\[..., S, A, S\]"),
        ({"costs": -1.0}, "costs must be >= 0"),
        ({"costs": np.zeros(5)}, "costs must broadcast"),
        ({"costs": np.nan}, "costs must be finite"),
        ({"gamma": 1.0}, "gamma must lie in"),
        ({"start": [1.0, 1.0]}, "start must be >= 0 and sum to 1"),
        ({"balls": np.zeros((2, 2))}, "balls must hold each state itself"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"transitions": P, "costs": 0.0, "gamma": 0.5}
    with pytest.raises(ValueError, match=message):
        make_cmdp(**(arguments | change))
