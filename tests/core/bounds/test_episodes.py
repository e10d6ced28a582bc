"""(B) over an undiscounted episode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from safer_gym.bounds import additive_bound, coupled_rate, gaussian_filter, step_hazard

TV = st.floats(0, 0.999)


@given(st.floats(0, 1), TV, st.integers(1, 200))
def test_one_distance_for_all_states_is_the_closed_form(p: float, tv: float, steps: int) -> None:
    hazard = steps * float(step_hazard(torch.tensor(tv, dtype=torch.float64)))
    bound = coupled_rate(p, hazard)
    assert bound == pytest.approx(min(p + 1 - (1 - tv) ** steps, 1.0), abs=1e-9)
    assert bound <= additive_bound(p, steps * tv) + 1e-12


@given(st.floats(0, 1), st.floats(1e-3, 3), st.integers(1, 50))
def test_the_gaussian_filter_is_never_above(p: float, m: float, steps: int) -> None:
    tv = torch.erf(torch.tensor(m / np.sqrt(8), dtype=torch.float64))
    bound = coupled_rate(p, steps * float(step_hazard(tv)))
    assert gaussian_filter(p, m * np.sqrt(steps)) <= bound + 1e-9


def test_its_ends() -> None:
    assert coupled_rate(0.2, 0.0) == 0.2
    assert coupled_rate(0.2, np.inf) == 1.0
    assert torch.isinf(step_hazard(torch.ones(1))).all()
    assert coupled_rate(np.zeros(3), [0.0, 1.0, np.inf]).shape == (3,)
    for p, hazard in ((1.1, 0.0), (-0.1, 0.0), (np.nan, 0.0), (0.1, -1.0), (0.1, np.nan)):
        with pytest.raises(ValueError, match="must be"):
            coupled_rate(p, hazard)
