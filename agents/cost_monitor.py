"""Episode costs as the algorithm itself sees them, whatever wrappers the environment has."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from stable_baselines3.common.logger import Logger

from safer_gym.agents.data.signals import as_numbers
from safer_gym.agents.finite import require_finite


class CostMonitor:
    """Adds up per-step costs of each parallel environment into undiscounted episode costs.

    Args:
        cost_limit: per episode; an episode above it counts as a violation.
        window: number of recent episodes in the means.
    """

    def __init__(self, cost_limit: float, window: int, cost_key: str = "cost") -> None:
        self.cost_limit, self.cost_key = cost_limit, cost_key
        self.recent: deque[float] = deque(maxlen=window)
        self.running: list[float] = []
        self.total_cost = 0.0
        self.episodes = 0
        self.violations = 0

    def update(self, infos: list[dict[str, Any]], dones: np.ndarray) -> None:
        """Take one vectorised step.

        Raises:
            NotFiniteError: a cost is not finite, or negative; nothing was added.
            ValueError: a cost that is not one number, or a step without an info.
        """
        if len(infos) != len(dones):
            raise ValueError(
                f"the environments gave {len(infos)} infos for {len(dones)} steps; each step's "
                "must hold its cost"
            )
        given = [info.get(self.cost_key) for info in infos]
        costs = np.array([0.0 if c is None else as_numbers(c, self.cost_key) for c in given])
        require_finite("cost", costs, lowest=0.0)
        if len(self.running) != len(costs):
            self.running = [0.0] * len(costs)
        for index, cost in enumerate(costs.tolist()):
            self.running[index] += cost
            self.total_cost += cost
            if dones[index]:
                self._finish(index)

    def _finish(self, index: int) -> None:
        episode_cost, self.running[index] = self.running[index], 0.0
        self.recent.append(episode_cost)
        self.episodes += 1
        self.violations += episode_cost > self.cost_limit

    def mean_since(self, episodes: int) -> float | None:
        """Mean cost of the episodes that ended after the first `episodes` (as many of them as the
        window holds); None for none.
        """
        fresh = self.episodes - episodes
        return float(np.mean(list(self.recent)[-fresh:])) if fresh > 0 else None

    def forget_running(self) -> None:
        """Drop unfinished episodes: the environments are about to be reset."""
        self.running = []

    def record(self, logger: Logger) -> None:
        """Write `rollout/ep_cost_mean`, `safety/total_cost` and `safety/violation_rate`."""
        if self.recent:
            logger.record("rollout/ep_cost_mean", float(np.mean(self.recent)))
            rate = float(np.mean([cost > self.cost_limit for cost in self.recent]))
            logger.record("safety/violation_rate", rate)
        logger.record("safety/total_cost", self.total_cost)
