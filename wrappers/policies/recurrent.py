"""Policies with a memory: what they return beside an action is what they are told next.

Told by what a policy does: it returns a state. Whether that state is all of its memory is the
gate's question.

Axes: B batch, A actions, S numbers of the state.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from safer_gym.memory import Memory
from safer_gym.types import Gaussian, Victim
from safer_gym.wrappers.action_rows import ActionRows, ChoiceRows
from safer_gym.wrappers.obs_layout import ObsLayout, any_part
from safer_gym.wrappers.policies.choosing import choosing_victim
from safer_gym.wrappers.policies.modes import as_found
from safer_gym.wrappers.policies.states import StateLayout


class Step(NamedTuple):
    """What a policy answers."""

    answer: Tensor
    """Actions [B, A] in the environment's units, discrete ones also as scores of all options."""
    state: Any
    """After the step."""
    distribution: Gaussian | None = None


Ask = Callable[[Any, Any], Step]
"""Observations [B, *O], a tensor or a dict, and the state before them (None where episodes begin)
to what the policy answers."""


@dataclass(frozen=True, eq=False)
class Recurrence:
    """How a policy with a memory is asked.

    Args:
        ask: what attacks read.
        deployed: its own `predict`, where attacks read something else.
        states: the form of its state.
        actions: how its actions are written.
    """

    ask: Ask
    deployed: Ask | None
    states: StateLayout
    actions: ActionRows

    def victim(self, layout: ObsLayout, look: Callable[[Any], Any]) -> Victim:
        """Differentiable functions of rows [memory, observation].

        Args:
            layout: of observations.
            look: from raw observations to those that the policy reads.
        """
        size = self.states.size + 1
        width = size + layout.size

        def step(rows: Tensor) -> tuple[Step, Tensor]:
            if rows.dim() != 2 or rows.shape[1] != width:
                raise ValueError(
                    f"a policy with a memory is asked about rows [memory, observation] of {width} "
                    f"numbers, see safer_gym.memory; got shape {tuple(rows.shape)}"
                )
            obs = layout.unpack(rows[:, size:].reshape(-1, *layout.shape))
            return self.step(self.ask, look(obs), rows[:, :size])

        def distribution(rows: Tensor) -> Gaussian:
            found = step(rows)[0].distribution
            assert found is not None
            return found

        def after(rows: Tensor) -> Tensor:
            with torch.no_grad():
                return step(rows)[1].to(rows)

        memory = Memory(size, after)
        if isinstance(self.actions, ChoiceRows):
            return self._choosing(lambda rows: step(rows)[0].answer)._replace(memory=memory)
        obs = layout.unpack(torch.zeros(1, *layout.shape))
        with torch.no_grad():
            draws = self.ask(look(obs), None).distribution is not None
        return Victim(
            lambda rows: step(rows)[0].answer.reshape(len(rows), -1).to(rows),
            distribution=distribution if draws else None,
            memory=memory,
        )

    def _choosing(self, answer: Callable[[Tensor], Tensor]) -> Victim:
        rows = self.actions
        assert isinstance(rows, ChoiceRows)
        # Parts of a model are logits, by which it draws; what else acts takes the best option.
        return choosing_victim(
            lambda given: rows.scores(answer(given)).to(given),
            rows.sizes,
            draws=self.deployed is not None,
        )

    def step(self, ask: Ask, obs: Any, memory: Tensor) -> tuple[Step, Tensor]:
        """The answers at observations with their memories [B, S + 1], and the memories after."""
        begins = memory[:, 0] > 0.5
        groups = [rows for rows in (begins.nonzero()[:, 0], (~begins).nonzero()[:, 0]) if len(rows)]
        if not self.states.is_batched:
            groups = [rows for group in groups for rows in group.split(1)]
        steps, after = [], []
        for rows in groups:
            state = None if begins[rows[0]] else self.states.state(memory[rows, 1:])
            steps.append(ask(_picked(obs, rows), state))
            told = self.states.rows(steps[-1].state)
            after.append(torch.cat([told.new_zeros(len(told), 1), told], dim=1))
        back = torch.cat(groups).argsort()
        parts = [step.distribution for step in steps]
        joined = None
        if all(part is not None for part in parts):
            joined = Gaussian(*(torch.cat(ends)[back] for ends in zip(*parts, strict=True)))
        answer = torch.cat([step.answer for step in steps])[back]
        return Step(answer, None, joined), torch.cat(after)[back]


def _picked(obs: Any, rows: Tensor) -> Any:
    if isinstance(obs, dict):
        return {key: value[rows] for key, value in obs.items()}
    return obs[rows]


def predicting(policy: Any, layout: ObsLayout) -> Ask:
    """A policy asked by its `predict`, as it is deployed."""
    takes = inspect.signature(policy.predict).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in takes.values())

    def ask(obs: Any, state: Any) -> Step:
        told = {"state": state, "episode_start": np.full(len(any_part(obs)), state is None)}
        known = {name: value for name, value in told.items() if takes_any or name in takes}
        modules = [m for m in (policy, getattr(policy, "policy", None)) if isinstance(m, nn.Module)]
        with as_found(*modules):
            actions, after = policy.predict(layout.arrays(obs), deterministic=True, **known)
        return Step(torch.as_tensor(np.asarray(actions)), after)

    return ask
