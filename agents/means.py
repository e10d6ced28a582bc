"""What an agent notes while it learns, and its logger gets as means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from stable_baselines3.common.logger import Logger
from torch import Tensor


class Means:
    """Numbers by name, collected; tensors keep no graph."""

    def __init__(self) -> None:
        self._noted: dict[str, list[Tensor | float]] = defaultdict(list)

    def note(self, values: Mapping[str, Tensor | float]) -> None:
        """Add one number to each name."""
        for name, value in values.items():
            self._noted[name].append(value.detach() if isinstance(value, Tensor) else value)

    def record(self, logger: Logger) -> None:
        """Write the mean of each name as `train/NAME`."""
        for name, values in self._noted.items():
            logger.record(f"train/{name}", float(np.mean([float(value) for value in values])))
