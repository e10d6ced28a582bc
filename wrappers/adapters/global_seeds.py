"""Lend a seed to code that draws from Python's and NumPy's global generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def global_seeds(seed: int) -> Iterator[None]:
    """Seed both global generators, and afterwards put back the state that they had.

    Args:
        seed: from 0 to 2**32 - 1.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
