"""One batched engine behind every form of the adversary, on every channel.

It owns what the attack itself must not: the radius at this moment, the check that no perturbation
ever leaves its ball, and the random streams (`streams.py`). Row = one environment.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import flatdim
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from safer_gym.attacks import traits_of
from safer_gym.attacks.channels import ChannelRows
from safer_gym.attacks.verify import verify_inside
from safer_gym.balls import LpBall
from safer_gym.domains import AT_LEAST_ONE, SEED, SHARE, require
from safer_gym.memory import NO_MEMORY
from safer_gym.schedules import make_schedule
from safer_gym.types import Attack, AttackResult, Channel, Victim
from safer_gym.wrappers.action_rows import action_rows
from safer_gym.wrappers.gate.attack import gated
from safer_gym.wrappers.gate.environment import BatchGate
from safer_gym.wrappers.gate.finite import check_finite
from safer_gym.wrappers.obs_layout import ObsBatch, ObsLayout, pick, replace
from safer_gym.wrappers.options import AdversaryOptions
from safer_gym.wrappers.policies.victims import through
from safer_gym.wrappers.streams import Draw, Streams
from safer_gym.wrappers.units import make_ball, radius, unit_of

INFO_KEY = "adversary"
"""The one key of `info` that belongs to the adversary."""

_WORD = {"observation": "obs", "action": "action", "disturbance": "disturbance"}


class Situation(NamedTuple):
    """What an attack knows on the other channels: observations, and the policy's actions there."""

    obs: ObsBatch
    actions: Any


class AdversaryEngine:
    """Perturbs batches of what a channel carries.

    Args:
        space: of what is moved, in one environment.
        attack: moves it.
        victim: the policy; None for attacks that look at no policy.
        n_envs: how many environments.
        options: as `ObservationAdversary` describes them; complete.
        channel: what is moved.
        around: observation and action space; not needed on the observation channel.
    """

    def __init__(
        self,
        space: Any,
        attack: str | Attack,
        victim: Victim | None,
        n_envs: int,
        options: AdversaryOptions,
        channel: Channel = "observation",
        around: tuple[Any, Any] | None = None,
    ) -> None:
        eps, schedule = options["eps"], options["schedule"]
        self.attack = gated(attack)
        self.name = self.attack.name
        self.channel, self.around = channel, None if channel == "observation" else around
        self._check_channel(options)
        self.layout = ObsLayout(space, _keys_of(eps, options["keys"]))
        self._gate = BatchGate(space) if channel == "observation" else None
        self.unit = unit_of(self.layout, options["units"], options["scale"])
        raw = radius(self.layout, eps, self.unit)
        self.largest = float((raw / self.unit).max())
        self.ball = make_ball(self.layout, options["norm"], raw)
        self.schedule = make_schedule(schedule) if isinstance(schedule, str) else schedule
        require(AT_LEAST_ONE, every=options["every"])
        require(AT_LEAST_ONE.or_none, total_steps=options["total_steps"])
        require(SEED.or_none, seed=options["seed"])
        self.every, self.total_steps = options["every"], options["total_steps"]
        self.mask, self.streams = options["mask"], Streams(n_envs, options["seed"])
        self.steps_taken, self.n_envs = 0, n_envs
        self.progress = 0.0
        self.set_victim(victim)

    def set_victim(self, victim: Victim | None) -> None:
        """Attack another policy from now on; None for attacks that look at no policy."""
        self.obs_layout = self.layout if self.around is None else ObsLayout(self.around[0])
        self.memory = NO_MEMORY if victim is None else victim.memory
        self._held = self.memory.begin(self.n_envs)
        shape = self.memory.shape(self.obs_layout.shape)
        self.channel_rows = ChannelRows("observation", shape, n_memory=self.memory.size)
        if victim is None:
            self.victim = _absent(self.name)
        elif self.around is None:
            self.victim = through(self.layout, victim)
        else:
            self.action_rows = action_rows(self.around[1])
            sizes = (self.action_rows.width, flatdim(self.layout.space))
            self.channel_rows = ChannelRows(self.channel, shape, *sizes)
            self.victim = self.channel_rows.view(through(self.obs_layout, victim))

    def set_progress(self, progress: float) -> None:
        """Where the schedule stands, in [0, 1]; replaces counting towards `total_steps`."""
        require(SHARE, progress=progress)
        self.progress, self.total_steps = float(progress), None

    def count_step(self) -> None:
        """Every environment has taken one step."""
        self.steps_taken += self.n_envs

    def start(self, row: int, seed: int | None, draw: Draw) -> None:
        """An episode begins in `row`: without a memory, and with a stream as of `Streams.start`."""
        self._held[row] = self.memory.begin(1)[0]
        self.streams.start(row, seed, draw)

    def check_actions(self, actions: Any) -> None:
        """Refuse policies' actions [E, *A] that are NaN or infinite.

        Raises:
            ValueError: names the environment, its episode and the step.
        """
        for row, action in enumerate(actions):
            episode, step = self.streams.episodes[row], self.streams.steps[row] - 1
            check_finite(action, f" in environment {row}, episode {episode}, step {step}")

    def untouched(self, actions: Any) -> Any:
        """What would be moved, of policies that take these `actions` [E, *A], before any attack.

        Raises:
            ValueError: actions of another shape, or not finite.
        """
        self.check_actions(actions)
        space, actions = self.around[1], np.asarray(actions)  # type: ignore[index]
        if actions.shape[1:] != space.shape:
            raise ValueError(
                f"an action must have the shape {space.shape}; got {actions.shape[1:]}"
            )
        if self.channel == "action":
            return actions
        moved = self.layout.space
        return np.zeros((len(actions), *moved.shape), moved.dtype)  # type: ignore[misc]

    def perturb(
        self,
        rows: Sequence[int],
        batch: ObsBatch,
        infos: Sequence[dict[str, Any]],
        situation: Situation | None = None,
    ) -> tuple[ObsBatch, list[dict[str, Any]]]:
        """What the policies shall see, do or meet, and one record for each row of the batch.

        Args:
            rows: which environment each entry of the batch belongs to.
            batch: the clean batch; it is not written to, and comes back as it is if no row is
                attacked.
            infos: the rows' infos, for the mask.
            situation: on the other channels, what the policy observes and does.

        Raises:
            AdversaryError: if the attack leaves the ball.
            ValueError: for observations that are not finite, or too large for float32.
        """
        if self._gate is not None:
            self._gate.check(batch)
        moved, records = self._perturbed(rows, batch, infos, situation)
        self._remember(rows, moved if situation is None else situation.obs)
        return moved, records

    def _perturbed(
        self,
        rows: Sequence[int],
        batch: ObsBatch,
        infos: Sequence[dict[str, Any]],
        situation: Situation | None,
    ) -> tuple[ObsBatch, list[dict[str, Any]]]:
        fraction = self._fraction()
        obs = batch if situation is None else situation.obs
        chosen = [k for k, row in enumerate(rows) if self._attacked(row, pick(obs, k), infos[k])]
        for row in rows:
            self.streams.steps[row] += 1
        records = [self._record(pick(batch, k), fraction) for k in range(len(rows))]
        if not chosen or fraction * self.largest == 0:
            return batch, records
        clean, ball = pick(batch, chosen), self.ball.scaled(fraction)
        packed, attacked = self.layout.pack(clean), [rows[k] for k in chosen]
        centre = self._centre(packed, situation, attacked, chosen)
        result = self._run(attacked, centre, self.channel_rows.ball(ball))
        moved = self._unpacked(clean, packed, result, ball)
        self._fill(records, chosen, clean, moved, result, fraction)
        return (moved if len(chosen) == len(rows) else replace(batch, chosen, moved)), records

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
        step = self.streams.steps[row]
        return step % self.every == 0 and (self.mask is None or bool(self.mask(step, obs, info)))

    def _remember(self, rows: Sequence[int], shown: ObsBatch) -> None:
        """What the policies carry on from what they are shown, if they remember."""
        if self.memory.size:
            at = list(rows)
            seen = self.memory.rows(self.obs_layout.pack(shown), self._held[at])
            self._held[at] = self.memory.after(seen).to(self._held)

    def _centre(
        self,
        packed: Tensor,
        situation: Situation | None,
        attacked: list[int],
        chosen: list[int],
    ) -> Tensor:
        """Where the attack begins: rows of the channel, or what is moved alone without a policy.

        Args:
            attacked: the environments.
            chosen: where they are in the batch.
        """
        if situation is None:
            return self.memory.rows(packed, self._held[attacked])
        if self.channel_rows.channel == "observation":
            return packed
        obs = self.obs_layout.pack(pick(situation.obs, chosen))
        obs = self.memory.rows(obs, self._held[attacked])
        actions = self.action_rows.pack(np.asarray(situation.actions)[chosen])
        return self.channel_rows.pack(obs, actions.to(torch.promote_types(obs.dtype, packed.dtype)))

    def _unpacked(
        self, clean: ObsBatch, packed: Tensor, result: AttackResult, ball: LpBall
    ) -> ObsBatch:
        rows = self.channel_rows.moved(result.obs).reshape(packed.shape)
        moved = self.layout.restore(clean, rows)
        if self.layout.rounds or rows.dtype != packed.dtype:
            moved = self._rounded(clean, packed, rows, moved, ball)
        return moved

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
        traits = traits_of(self.attack)
        if traits.held:
            for row in rows:
                self.streams.rewind(row)
        if len(rows) == 1 or (traits.per_row_noise is False and not traits.held):
            return self.attack(self.victim, packed, ball, self.streams.generator(rows[0]))
        parts = [
            self.attack(self.victim, packed[k : k + 1], ball, self.streams.generator(row))
            for k, row in enumerate(rows)
        ]
        return AttackResult(*(torch.cat(fields) for fields in zip(*parts, strict=True)))

    def _record(self, clean: Any, fraction: float) -> dict[str, Any]:
        word, after = _WORD[self.channel], {}
        if self.channel != "observation":
            after = {word: copy.deepcopy(clean)}
        return {
            "channel": self.channel,
            f"clean_{word}": copy.deepcopy(clean),
            **after,
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
        for i, k in enumerate(chosen):
            numbers = {"norm": norms[i], "gauge": gauges[i], "gain": gains[i]}
            records[k].update({name: float(value) for name, value in numbers.items()})
            records[k]["attacked"] = True
            if self.channel != "observation":
                records[k][_WORD[self.channel]] = pick(seen, i)

    def _check_channel(self, options: AdversaryOptions) -> None:
        only = traits_of(self.attack).channel
        if only not in (None, self.channel):
            raise ValueError(
                f"attack {self.name!r} works on the {only} channel; this is an adversary on the "
                f"{self.channel} channel"
            )
        if self.channel != "observation" and isinstance(options["scale"], VecNormalize):
            raise ValueError(
                f"scale must be an array of widths of the {self.channel}; a VecNormalize has those "
                "of observations"
            )


def _absent(name: str) -> Victim:
    def refuse(*_: Any) -> Any:
        raise ValueError(
            f"attack {name!r} needs the policy that it attacks: give policy= an SB3 model, a "
            "torch module, a callable or a Victim, or call set_policy() before reset()"
        )

    refusing: Any = [refuse] * (len(Victim._fields) - 1)
    return Victim(*refusing)


def _keys_of(eps: Any, keys: Iterable[str] | None) -> Iterable[str] | None:
    if isinstance(eps, dict) and not eps:
        raise ValueError("eps must have a radius for at least one key; got {}")
    return list(eps) if keys is None and isinstance(eps, dict) else keys
