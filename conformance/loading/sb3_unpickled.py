"""A saved model loaded as Stable-Baselines3 does it, which unpickles. For trusted files only.

For models with classes of their own: a feature extractor, a policy, a schedule in a lambda.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from safer_gym.conformance.loading.sb3_algorithms import algorithm_named, read_data


def unpickle_model(path: Path) -> Any:
    """The model, by the algorithm that its attributes tell of.

    Raises:
        ValueError: they tell of none, or the model cannot be loaded.
        ModuleNotFoundError: it needs sb3-contrib, which is not installed.
    """
    named = algorithm_named(read_data(path))
    if named is None:
        raise ValueError(f"{path} does not tell which algorithm made it; load it in Python instead")
    module, _, name = named.partition(":")
    algorithm = getattr(import_module(module), name)
    try:
        with warnings.catch_warnings():
            # Stable-Baselines3 warns of its own saved choices; they do not matter for acting.
            warnings.simplefilter("ignore", UserWarning)
            return algorithm.load(path, device="cpu")
    except OSError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} could not be loaded as a {name} model: {type(error).__name__}: {error}"
        ) from error
