"""Evaluation while training that looks at cost before it keeps a model as the best."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import EvalCallback

from safer_gym.agents.data.signals import as_numbers
from safer_gym.choices import choose

SELECTIONS = ("feasible", "score")


class CostEvalCallback(EvalCallback):
    """Stable-Baselines3's EvalCallback with a best model that keeps the cost limit.

    Logs `eval/mean_cost` beside `eval/mean_reward`; `evaluations.npz` also holds `costs`.

    Args:
        cost_limit: mean cost of an episode that counts as feasible; None takes the model's own.
        selection: "feasible": a feasible model beats an infeasible one, more reward decides among
            the feasible, less cost (then more reward) among the rest. "score": reward / 20 - cost,
            by which the paper's models were chosen.
        cost_key: of `info`; an episode step without it is an error.

    The other arguments are EvalCallback's. `best_mean_reward` and `best_mean_cost` are those of the
    best model.
    """

    def __init__(
        self,
        *args: Any,
        cost_limit: float | None = None,
        selection: str = "feasible",
        cost_key: str = "cost",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.cost_limit = cost_limit
        self.selection = choose("selection", selection, SELECTIONS)
        self.cost_key = cost_key
        self.best_mean_cost = self.last_mean_cost = math.inf
        self.best_rank: tuple[float, ...] = ()
        self.evaluations_costs: list[list[float]] = []
        self._running: dict[int, float] = {}
        self._costs: list[float] = []

    def _init_callback(self) -> None:
        super()._init_callback()
        if self.cost_limit is None:
            self.cost_limit = getattr(self.model, "cost_limit", None)
        if self.cost_limit is None:
            name = type(self.model).__name__
            raise ValueError(f"cost_limit must be given: a {name} model has none of its own.")

    def _log_success_callback(self, locals_: dict[str, Any], globals_: dict[str, Any]) -> None:
        """Called by the evaluation at each step of each environment."""
        super()._log_success_callback(locals_, globals_)
        info, index = locals_["info"], locals_["i"]
        if self.cost_key not in info:
            raise ValueError(
                f"info[{self.cost_key!r}] is missing in the evaluation environment: wrap it in "
                "safer_gym.wrappers.CostTracker(env, cost=...). Absent cost is not zero cost."
            )
        cost = float(as_numbers(info[self.cost_key], self.cost_key))
        self._running[index] = self._running.get(index, 0.0) + cost
        if locals_["done"]:
            self._costs.append(self._running.pop(index))
            # The parent dumps the log before this class sees control again.
            self.logger.record("eval/mean_cost", float(np.mean(self._costs)))

    def _on_step(self) -> bool:
        if self.eval_freq <= 0 or self.n_calls % self.eval_freq != 0:
            return True
        self._running, self._costs = {}, []
        # The parent evaluates and logs; with these two it neither chooses nor calls back.
        best, self.best_mean_reward = self.best_mean_reward, math.inf
        after, self.callback = self.callback, None
        try:
            super()._on_step()
        finally:
            self.best_mean_reward, self.callback = best, after
        self.last_mean_cost = float(np.mean(self._costs))
        self._add_costs_to_file()
        goes_on = self._keep_if_best()
        return goes_on and (self.callback is None or self._on_event())

    def rank(self, mean_reward: float, mean_cost: float) -> tuple[float, ...]:
        """Larger is better, compared part by part."""
        if self.selection == "score":
            return (mean_reward / 20.0 - mean_cost,)
        assert self.cost_limit is not None
        if mean_cost <= self.cost_limit:
            return (1.0, mean_reward)
        return (0.0, -mean_cost, mean_reward)

    def _keep_if_best(self) -> bool:
        rank = self.rank(self.last_mean_reward, self.last_mean_cost)
        if self.verbose >= 1:
            print(f"Episode cost: {self.last_mean_cost:.2f} (limit {self.cost_limit})")
        if self.best_rank and rank <= self.best_rank:
            return True
        self.best_rank = rank
        self.best_mean_reward, self.best_mean_cost = self.last_mean_reward, self.last_mean_cost
        if self.best_model_save_path is not None:
            self.model.save(os.path.join(self.best_model_save_path, "best_model"))
        return self.callback_on_new_best is None or self.callback_on_new_best.on_step()

    def _add_costs_to_file(self) -> None:
        if self.log_path is None:
            return
        self.evaluations_costs.append(self._costs)
        with np.load(f"{self.log_path}.npz") as file:
            arrays = dict(file)
        np.savez(self.log_path, **arrays, costs=np.array(self.evaluations_costs))
