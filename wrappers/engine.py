"""One batched engine behind every form of the observation adversary.

It owns what the attack itself must not: the random streams, the step counters, the radius at this
moment, and the check that no perturbation ever leaves its ball. Row = one environment.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safer_gym.attacks import traits_of
from safer_gym.attacks.verify import verify_inside
from safer_gym.balls import LpBall
from safer_gym.schedules import make_schedule
from safer_gym.types import Attack, AttackResult, Victim
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.gate.environment import BatchGate
from safer_gym.wrappers.obs_layout import ObsBatch, ObsLayout, pick, replace
from safer_gym.wrappers.options import AdversaryOptions
from safer_gym.wrappers.policies.victims import through
from safer_gym.wrappers.units import make_ball, radius, unit_of

INFO_KEY = "adversary"
"""The one key of `info` that belongs to the adversary."""

_STREAM = 0x5AFE


class AdversaryEngine:
    """Perturbs batches of observations. See `ObservationAdversary` for the options (complete)."""

    def __init__(
        self,
        space: Any,
        attack: str | Attack,
        victim: Victim | None,
        n_envs: int,
        options: AdversaryOptions,
    ) -> None:
        eps, schedule = options["eps"], options["schedule"]
        self.attack = gated(attack)
        self.name = self.attack.name
        self.layout = ObsLayout(space, _keys_of(eps, options["keys"]))
        self._gate = BatchGate(space)
        self.unit = unit_of(self.layout, options["units"], options["scale"])
        raw = radius(self.layout, eps, self.unit)
        self.largest = float((raw / self.unit).max())
        self.ball = make_ball(self.layout, options["norm"], raw)
        self.schedule = make_schedule(schedule) if isinstance(schedule, str) else schedule
        self.every = _positive("every", options["every"])
        self.mask, self.seed = options["mask"], options["seed"]
        total = options["total_steps"]
        self.total_steps = None if total is None else _positive("total_steps", total)
        self.steps_taken, self.n_envs = 0, n_envs
        self.progress = 0.0
        self.step_of_row = [0] * n_envs
        self.generators: list[torch.Generator | None] = [None] * n_envs
        self.set_victim(victim)

    def set_victim(self, victim: Victim | None) -> None:
        """Attack another policy from now on; None for attacks that look at no policy."""
        self.victim = _absent(self.name) if victim is None else through(self.layout, victim)

    def set_progress(self, progress: float) -> None:
        """Where the schedule stands, in [0, 1]; replaces counting towards `total_steps`."""
        if not 0 <= progress <= 1:
            raise ValueError(f"progress must lie in [0, 1]; got {progress!r}")
        self.progress, self.total_steps = float(progress), None

    def count_step(self) -> None:
        """Every environment has taken one step."""
        self.steps_taken += self.n_envs

    def start(self, row: int, seed: int | None, draw: Callable[[], int | None]) -> None:
        """An episode begins in `row`. With a seed, or at the first episode, so does its stream.

        Args:
            seed: the seed of this reset, if one was given.
            draw: a number from the environment's own generator, asked only if nothing else says
                where the stream begins.
        """
        self.step_of_row[row] = 0
        if seed is None and self.generators[row] is not None:
            return
        own = 0 if self.seed is None else self.seed
        if seed is None:
            seed = row if self.seed is not None else draw()
        entropy = None if seed is None else [_STREAM, own, seed]
        word = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
        self.generators[row] = torch.Generator().manual_seed(word >> 1)

    def perturb(
        self, rows: Sequence[int], obs: ObsBatch, infos: Sequence[dict[str, Any]]
    ) -> tuple[ObsBatch, list[dict[str, Any]]]:
        """The observations the policies shall see, and one record for each row of the batch.

        Args:
            rows: which environment each observation of the batch belongs to.
            obs: the clean batch; it is not written to, and comes back as it is if no row is
                attacked.
            infos: the rows' infos, for the mask.

        Raises:
            AdversaryError: if the attack leaves the ball.
            ValueError: for observations that are not finite, or too large for float32.
        """
        self._gate.check(obs)
        fraction = self._fraction()
        chosen = [k for k, row in enumerate(rows) if self._attacked(row, pick(obs, k), infos[k])]
        for row in rows:
            self.step_of_row[row] += 1
        records = [self._record(pick(obs, k), fraction) for k in range(len(rows))]
        if not chosen or fraction * self.largest == 0:
            return obs, records
        clean = pick(obs, chosen)
        seen, result = self._attack([rows[k] for k in chosen], clean, self.ball.scaled(fraction))
        self._fill(records, chosen, clean, seen, result, fraction)
        return (seen if len(chosen) == len(rows) else replace(obs, chosen, seen)), records

    def _fraction(self) -> float:
        if self.schedule is None:
            return 1.0
        if self.total_steps is not None:
            self.progress = min(1.0, self.steps_taken / self.total_steps)
        fraction = float(self.schedule(self.progress))
        if not 0 <= fraction <= 1:
            raise ValueError(f"schedule must return a share of eps in [0, 1]; got {fraction!r}")
        return fraction

    def _attacked(self, row: int, obs: Any, info: dict[str, Any]) -> bool:
        step = self.step_of_row[row]
        return step % self.every == 0 and (self.mask is None or bool(self.mask(step, obs, info)))

    def _attack(
        self, rows: list[int], clean: ObsBatch, ball: LpBall
    ) -> tuple[ObsBatch, AttackResult]:
        packed = self.layout.pack(clean)
        result = self._run(rows, packed, ball)
        moved = result.obs
        seen = self.layout.restore(clean, moved)
        if self.layout.rounds:
            seen = self._rounded(clean, packed, moved, seen, ball)
        return seen, result

    def _rounded(
        self, clean: ObsBatch, packed: Tensor, moved: Tensor, seen: ObsBatch, ball: LpBall
    ) -> ObsBatch:
        """Rows that rounding to the nearest value pushed out of the ball are rounded inward."""
        outside = ~ball.contains(packed, self.layout.pack(seen))
        if bool(outside.any()):
            rows = outside.nonzero()[:, 0].tolist()
            seen = replace(seen, rows, pick(self.layout.restore(clean, moved, inward=True), rows))
        verify_inside(self.name, packed, self.layout.pack(seen), ball)
        return seen

    def _run(self, rows: list[int], packed: Tensor, ball: LpBall) -> AttackResult:
        """Batched where rows share an attack's draws; else one by one, from a stream each."""
        if len(rows) == 1 or traits_of(self.attack).per_row_noise is False:
            return self.attack(self.victim, packed, ball, self.generators[rows[0]])
        parts = [
            self.attack(self.victim, packed[k : k + 1], ball, self.generators[row])
            for k, row in enumerate(rows)
        ]
        return AttackResult(*(torch.cat(fields) for fields in zip(*parts, strict=True)))

    def _record(self, clean: Any, fraction: float) -> dict[str, Any]:
        return {
            "clean_obs": copy.deepcopy(clean),
            "attack": self.name,
            "attacked": False,
            "eps": fraction * self.largest,
            "norm": 0.0,
            "gauge": 0.0,
            "gain": 0.0,
        }

    def _fill(
        self,
        records: list[dict[str, Any]],
        chosen: list[int],
        clean: ObsBatch,
        seen: ObsBatch,
        result: AttackResult,
        fraction: float,
    ) -> None:
        delta = self.layout.pack(seen).double() - self.layout.pack(clean).double()
        norms = self.ball.norm(delta / torch.tensor(self.unit))
        gauges = self.ball.scaled(fraction).gauge(delta)
        gains = result.objective - result.clean_objective
        for k, norm, gauge, gain in zip(chosen, norms, gauges, gains, strict=True):
            records[k].update(attacked=True, norm=float(norm), gauge=float(gauge), gain=float(gain))


def _absent(name: str) -> Victim:
    def refuse(*_: Any) -> Any:
        raise ValueError(
            f"attack {name!r} needs the policy that it attacks: give policy= an SB3 model, a "
            "torch module, a callable or a Victim, or call set_policy() before reset()"
        )

    return Victim(refuse, refuse, refuse, refuse)


def _keys_of(eps: Any, keys: Iterable[str] | None) -> Iterable[str] | None:
    return list(eps) if keys is None and isinstance(eps, dict) else keys


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1; got {value!r}")
    return int(value)
