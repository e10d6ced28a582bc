"""A file that Stable-Baselines3 saved, taken apart as data."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from safer_gym.conformance.loading.archives import entry, json_entry, opened
from safer_gym.conformance.loading.as_data import Name, read_pickle
from safer_gym.conformance.loading.sb3_algorithms import DATA
from safer_gym.conformance.loading.weights import read_weights

WEIGHTS = "policy.pth"
SERIALIZED = ":serialized:"


class Sb3File(NamedTuple):
    """What a saved model says of itself, and the weights of its networks."""

    data: dict[str, Any]
    weights: dict[str, Tensor]

    def value(self, key: str) -> Any:
        """One attribute of the saved model. One that was pickled is read as data.

        Raises:
            ValueError: it is missing, or its pickle cannot be read as data.
        """
        if key not in self.data:
            raise ValueError(f"it does not say its {key}")
        value = self.data[key]
        if not isinstance(value, dict) or SERIALIZED not in value:
            return value
        try:
            return read_pickle(base64.b64decode(str(value[SERIALIZED]), validate=True))
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"its {key} is {error}") from error

    @property
    def policy_class(self) -> Name:
        """Name of the class of the saved policy.

        Raises:
            ValueError: the file does not name one.
        """
        found = self.value("policy_class")
        if not isinstance(found, Name):
            raise ValueError("its policy class is defined in the file itself")
        return found


def read_sb3_file(path: Path) -> Sb3File:
    """Take a saved model apart; nothing in it is run.

    Raises:
        ValueError: it is no saved model, or a damaged one.
    """
    what = str(path)
    with opened(path, what) as archive:
        data = json_entry(archive, DATA, what)
        weights = entry(archive, WEIGHTS, what)
    return Sb3File(data, read_weights(weights, f"{what}, entry {WEIGHTS}"))
