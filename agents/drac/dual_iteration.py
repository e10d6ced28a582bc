"""One update of DRAC: the four steps of dual policy iteration on a batch, in the paper's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.drac.losses import (
    augmented_lagrangian,
    clamped_safety_target,
    imitation,
    inside_set,
    lagrangian,
    safety_target,
    split_policy_loss,
    task_target,
)
from safer_gym.agents.drac.multiplier import present_multiplier, renew_multiplier
from safer_gym.agents.drac.networks import Learn, Player, squashed
from safer_gym.agents.drac.options import MultiplierOptions, SafetyOptions, UpdateOptions
from safer_gym.agents.drac.policies import DRACPolicy
from safer_gym.agents.networks.plain import slope
from safer_gym.agents.sac_lagrangian.losses import temperature_loss
from safer_gym.agents.td import aggregate, polyak
from safer_gym.agents.updates import fit_critic, take_step

Record = dict[str, Tensor]


class Batch(NamedTuple):
    """Transitions, with the pair (u, a) as the critics take it."""

    samples: CostSamples
    """Its actions are pairs [B, A + D]."""
    h: Tensor
    next_h: Tensor
    """[B]; of no meaning where there is no safety value."""

    @classmethod
    def of(cls, data: CostSamples) -> Batch:
        """From what the buffer keeps."""
        signals, actions = data.signals, data.actions
        if "disturbance" in signals:
            actions = torch.cat([actions, signals["disturbance"]], dim=1)
        h, next_h = (signals.get(name, data.rewards).squeeze(1) for name in ("h", "next_h"))
        return cls(data._replace(actions=actions), h, next_h)


class Safety(NamedTuple):
    """What the safety players say of a batch of states."""

    value: Tensor
    """V_h(x) [B]."""
    inside: Tensor
    """bool [B]."""
    move: Tensor
    """mu_h(x) [B, D]; of width 0 without an adversary."""


class DualIteration:
    """The update of a policy; it keeps nothing but what the policy has.

    Args:
        policy: the networks.
        safety, multiplier, update: see the options.
        tau: rate at which target critics follow.
    """

    def __init__(
        self,
        policy: DRACPolicy,
        safety: SafetyOptions,
        multiplier: MultiplierOptions,
        update: UpdateOptions,
        tau: float,
    ) -> None:
        self.policy, self.safety, self.multiplier, self.update = policy, safety, multiplier, update
        entropy = update.target_entropy
        self.target_entropy = float(-policy.actor.n_moves if entropy is None else entropy)
        spec = policy.spec
        self._tracked = [
            (_weights(policy, names, ""), _weights(policy, names, "_target"), rate)
            for names, rate in (
                ([name for name, net in spec.critics.items() if net.has_target], tau),
                (list(spec.actors), update.average),
            )
        ]

    def step(self, data: CostSamples, number: int, safety_discount: float) -> Record:
        """All that one batch teaches; returns what is logged.

        Args:
            number: of this update, from 0.
            safety_discount: the present g_h.
        """
        batch = Batch.of(data)
        obs = batch.samples.observations
        record: Record = {}
        safety, free = None, torch.ones_like(batch.h, dtype=torch.bool)
        if self.policy.has_safety:
            record["safety_critic_loss"], free = self.evaluate_safety(batch, safety_discount)
            safety = self.improve_safety(obs)
            record["safety_value"] = safety.value.mean()
            record["inside_share"] = safety.inside.float().mean()
        record["critic_loss"] = self.evaluate_task(batch.samples, free)
        record |= self.improve_task(obs, safety, number)
        for weights, targets, rate in self._tracked:
            polyak(weights, targets, rate)
        return record

    # ------------------------------------------------------------------ the safety policy

    def evaluate_safety(self, batch: Batch, discount: float) -> tuple[Tensor, Tensor]:
        """Step 1: Q_h towards T_h of the safety policy and its adversary.

        Returns:
            The loss, and whether each x' is inside, bool [B].
        """
        policy, data = self.policy, batch.samples
        with torch.no_grad():
            pair = policy.players.safety_pair(data.next_observations)
            members = policy.safety_critic_target.values(data.next_observations, pair)
            following = aggregate(members, self.safety.safety_aggregation)
            ended = data.dones.squeeze(1)
            if self.safety.safety_target == "standard":
                target = safety_target(batch.h, batch.next_h, following, ended, discount)
            else:
                target = clamped_safety_target(batch.next_h, following, ended, discount)
        clip = self.update.max_grad_norm
        loss = fit_critic("safety critic", policy.safety_critic, data, target, clip)
        return loss, self._inside(following)

    def improve_safety(self, obs: PyTorchObs) -> Safety:
        """Step 2: pi_h ascends Q_h(x, pi_h(x), mu_h(x)) and mu_h descends it."""
        players = self.policy.players
        control, by_control = _heard(players.safety_actor, obs)
        if control is None:
            control = players.safety_control(obs).detach()
        move, by_move = _heard(players.safety_adversary, obs)
        move = control[:, :0] if move is None else move
        value, by_pair = slope(self.policy.safety_critic, obs, torch.cat([control, move], dim=1))
        up, down = (by_pair / len(value)).split([control.shape[1], move.shape[1]], dim=1)
        if by_control is not None:
            self._move("safety policy", players.safety_actor, value, by_control(-up))
        if by_move is not None:
            self._move("safety adversary", players.safety_adversary, value, by_move(down))
        return Safety(value, self._inside(value), move)

    def _inside(self, value: Tensor) -> Tensor:
        """Where the constraint is one: plain ascent counts every state as inside."""
        if self.multiplier.multiplier_loss == "ascent":
            return torch.ones_like(value, dtype=torch.bool)
        return inside_set(value, self.safety.region_margin)

    # ------------------------------------------------------------------ the task policy

    def evaluate_task(self, data: CostSamples, free: Tensor) -> Tensor:
        """Step 3: Q towards the soft return of the task policy and its adversary.

        Outside the task policy imitates, and its density grows without bound as it does so well:
        the entropy of where it is not free is no part of the return.

        Args:
            data: transitions.
            free: whether the task policy has the choice at x', bool [B].
        """
        policy, next_obs = self.policy, data.next_observations
        rewards, discounts, ended = (
            part.squeeze(1) for part in (data.rewards, data.discounts, data.dones)
        )
        with torch.no_grad():
            control, log_prob = policy.actor.sample(next_obs)
            pair = policy.players.task_pair(next_obs, control)
            following = policy.critic_target.values(next_obs, pair).amin(0)
            entropy = torch.where(free, -self._temperature() * log_prob, 0.0)
            target = task_target(rewards, discounts, ended, following, entropy)
        return fit_critic("critic", policy.critic, data, target, self.update.max_grad_norm)

    def improve_task(self, obs: PyTorchObs, safety: Safety | None, number: int) -> Record:
        """Step 4: mu descends Q; pi follows Q within the set, and safety outside of it.

        Args:
            safety: of the states; None where there is no constraint.
            number: of the update.
        """
        actor = self.policy.actor
        outputs, by_outputs = actor.heard(obs)
        control, log_prob = squashed(outputs)
        # Outside, the task policy is told what to do: its entropy there is not the temperature's.
        free = log_prob if safety is None else log_prob[safety.inside]
        record = self._renew_temperature(free)
        q = self._attacked_value(obs, control)
        moves = number % self.update.policy_delay == 0
        renews = number % self.multiplier.multiplier_delay == 0
        penalty, q_safety = self._temperature() * log_prob, q
        if safety is not None and (moves or renews):
            q_safety = _follow(self.policy.safety_critic, obs, control, safety.move)[0]
            q_safety = q_safety - self.multiplier.constraint_margin
        if moves:
            if safety is None:
                loss = (penalty - q).mean()
            else:
                loss = self._constrained_loss(obs, control, penalty, q, q_safety, safety)
            (upstream,) = torch.autograd.grad(loss, outputs)
            self._move("actor", actor, loss, by_outputs(upstream))
            record["actor_loss"] = loss
        if safety is not None and renews:
            args = (self.policy, obs, q_safety.detach(), safety.inside, self.multiplier)
            record |= renew_multiplier(*args, self._move)
        return record

    def _attacked_value(self, obs: PyTorchObs, control: Tensor) -> Tensor:
        """Q(x, u, mu(x)) [B] as a function of u, after a step of mu against it."""
        adversary = self.policy.players.adversary
        move, by_move = _heard(adversary, obs)
        move = control.detach()[:, :0] if move is None else move
        q, by_pair = _follow(self.policy.critic, obs, control, move)
        if by_move is not None:
            down = by_pair[:, control.shape[1] :] / len(q)
            self._move("adversary", adversary, q, by_move(down))
        return q

    def _constrained_loss(
        self,
        obs: PyTorchObs,
        control: Tensor,
        penalty: Tensor,
        q: Tensor,
        q_safety: Tensor,
        safety: Safety,
    ) -> Tensor:
        lam = present_multiplier(self.policy, obs, self.multiplier.max_lam)
        soft = q - penalty
        if self.multiplier.constraint == "augmented":
            gain = augmented_lagrangian(soft, q_safety, lam, self.multiplier.rho)
        else:
            gain = lagrangian(soft, q_safety, lam)
        if self.safety.outside == "imitate":
            outside = imitation(control, self.policy.players.safety_control(obs))
        else:
            outside = penalty - q_safety
        return split_policy_loss(safety.inside, -gain, outside)

    # ------------------------------------------------------------------ steps

    def _temperature(self) -> Tensor:
        """alpha, without its gradient."""
        if self.update.ent_coef == "auto":
            return self.policy.temperature().detach()
        return torch.tensor(float(self.update.ent_coef))

    def _renew_temperature(self, log_prob: Tensor) -> Record:
        if self.update.ent_coef == "auto" and len(log_prob):
            temperature = self.policy.temperature
            loss = temperature_loss(temperature.log, log_prob, self.target_entropy)
            found = torch.autograd.grad(loss, [temperature.log])
            self._move("temperature", temperature, loss, found)
        return {"ent_coef": self._temperature()}

    def _move(self, name: str, net: Any, loss: Tensor, found: Sequence[Tensor]) -> None:
        """A step of one network by gradients of its weights."""
        own = net.optimizer.param_groups[0]["params"]
        for weight, gradient in zip(own, found, strict=True):
            weight.grad = gradient
        take_step(name, net, loss.mean(), self.update.max_grad_norm)


def _heard(player: Player | None, obs: PyTorchObs) -> tuple[Tensor | None, Learn | None]:
    """A player's moves and what it learns by them; nothing of one that there is not."""
    return (None, None) if player is None else player.play(obs)


def _follow(critic: Any, obs: PyTorchObs, control: Tensor, move: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's value [B] as a function of u, and its gradients by the pair [B, A + D]."""
    value, by_pair = slope(critic, obs, torch.cat([control.detach(), move], dim=1))
    by_control = by_pair[:, : control.shape[1]]
    return value + ((control - control.detach()) * by_control).sum(1), by_pair


def _weights(policy: DRACPolicy, names: list[str], suffix: str) -> list[Tensor]:
    return [weight for name in names for weight in getattr(policy, name + suffix).parameters()]
