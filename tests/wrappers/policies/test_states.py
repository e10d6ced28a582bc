"""States of any form are rows of numbers and back; what cannot be carried is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from safer_gym.wrappers.policies.states import StateLayout

FORMS: dict[str, Any] = {
    "an array": lambda n, rng: rng.normal(size=(n, 3)).astype(np.float32),
    "an LSTM's": lambda n, rng: tuple(rng.normal(size=(2, n, 4)) for _ in range(2)),
    "tensors by name": lambda n, rng: {
        "h": torch.as_tensor(rng.normal(size=(1, n, 2))), "count": torch.full((n,), 7),
    },
    "nested": lambda n, rng: [(rng.random((n, 1)),), {"flag": rng.random(n) > 0.5}],
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("n", [1, 5])
def test_there_and_back(name: str, n: int) -> None:
    make, rng = FORMS[name], np.random.default_rng(0)
    layout = StateLayout.of(lambda n: make(n, np.random.default_rng(1)))
    assert layout.is_batched
    state = make(n, rng)
    rows = layout.rows(state)
    assert rows.shape == (n, layout.size)
    again = layout.rows(layout.state(rows))
    assert torch.equal(rows, again)
    back = layout.state(rows)
    assert type(back) is type(state)
    # Row k of the rows is the state of observation k.
    if n > 1:
        part = layout.rows(layout.state(rows[2:4]))
        assert torch.equal(part, rows[2:4])


def test_a_state_without_an_axis_of_rows_is_of_one_row() -> None:
    layout = StateLayout.of(lambda n: (np.arange(3.0), 2))
    assert (layout.size, layout.is_batched) == (4, False)
    assert layout.rows((np.array([4.0, 5.0, 6.0]), 7)).tolist() == [[4.0, 5.0, 6.0, 7.0]]
    state = layout.state(torch.tensor([[4.0, 5.0, 6.0, 7.0]]))
    assert (state[0].tolist(), int(state[1])) == ([4.0, 5.0, 6.0], 7)


def test_what_cannot_be_carried_is_refused() -> None:
    with pytest.raises(ValueError, match="holds a str, which is no number"):
        StateLayout.of(lambda n: {"name": "x", "h": np.zeros((n, 2))})
    layout = StateLayout.of(lambda n: [np.zeros((n, 2))])
    for other in ([np.zeros((3, 4))], [np.zeros((3, 2))] * 2, (np.zeros((3, 2)),)):
        with pytest.raises(ValueError, match="another form at a later step"):
            layout.rows(other)
