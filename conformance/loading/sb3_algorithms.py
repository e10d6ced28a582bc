"""Which algorithm wrote a saved model, told by its data; nothing is unpickled for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safer_gym.conformance.loading.archives import json_entry, opened

DATA = "data"


def read_data(path: Path) -> dict[str, Any]:
    """What a saved model says of itself.

    Raises:
        ValueError: it is no saved model, or a damaged one.
    """
    with opened(path, str(path)) as archive:
        return json_entry(archive, DATA, str(path))


def algorithm_named(data: Mapping[str, Any]) -> str | None:
    """The algorithm as "module:Class", or None where its attributes tell of none.

    A name that the file states is looked up among the registered algorithms, never imported as it
    stands.
    """
    from safer_gym.agents.marks import marked  # and with it Stable-Baselines3
    from safer_gym.agents.registry import written_by

    stated = written_by(str(data.get("algorithm", "")))
    return marked(data) if stated is None else stated.place
