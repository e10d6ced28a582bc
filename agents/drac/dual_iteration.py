"""One update of DRAC: the four steps of dual policy iteration on a batch, in the paper's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from safer_gym.agents.data.buffers import CostSamples
from safer_gym.agents.drac.losses import (
    ascent_multiplier_loss,
    augmented_lagrangian,
    augmented_multiplier,
    clamped_safety_target,
    imitation,
    inside_set,
    lagrangian,
    safety_target,
    split_multiplier_loss,
    split_policy_loss,
    task_target,
)
from safer_gym.agents.drac.options import MultiplierOptions, SafetyOptions, UpdateOptions
from safer_gym.agents.drac.policies import DRACPolicy
from safer_gym.agents.networks.critics import QEnsemble
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
    """[B]; zeros where there is no safety value."""

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
        self.tau = tau
        self._n_actions = policy.actor.mean_head.out_features
        entropy = update.target_entropy
        self.target_entropy = float(-self._n_actions if entropy is None else entropy)
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
        batch, record = Batch.of(data), {}
        safety = None
        if self.policy.has_safety:
            record["safety_critic_loss"] = self.evaluate_safety(batch, safety_discount)
            safety = self.improve_safety(batch.samples.observations)
            record["safety_value"] = safety.value.mean()
            record["inside_share"] = safety.inside.float().mean()
        record["critic_loss"] = self.evaluate_task(batch.samples)
        record |= self.improve_task(batch.samples.observations, safety, number)
        for weights, targets, rate in self._tracked:
            polyak(weights, targets, rate)
        return record

    # ------------------------------------------------------------------ the safety policy

    def evaluate_safety(self, batch: Batch, discount: float) -> Tensor:
        """Step 1: Q_h towards T_h of the safety policy and its adversary."""
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
        return self._fit("safety critic", policy.safety_critic, data, target)

    def improve_safety(self, obs: PyTorchObs) -> Safety:
        """Step 2: pi_h ascends Q_h(x, pi_h(x), mu_h(x)) and mu_h descends it.

        One backward pass of the critic serves both players.
        """
        players, n_actions = self.policy.players, self._n_actions
        pair = players.safety_pair(obs)
        value = self.policy.safety_critic.values(obs, pair).amin(0)
        (slope,) = torch.autograd.grad(value.mean(), pair)
        slope[:, :n_actions] *= -1
        movers = {
            name: net
            for name, net in (
                ("safety policy", players.safety_actor),
                ("safety adversary", players.safety_adversary),
            )
            if net is not None
        }
        weights = [_own_weights(net) for net in movers.values()]
        found = iter(torch.autograd.grad(pair, [w for own in weights for w in own], slope))
        for (name, net), own in zip(movers.items(), weights, strict=True):
            self._move(name, net, value.mean(), [next(found) for _ in own])
        value = value.detach()
        return Safety(value, self._inside(value), pair.detach()[:, n_actions:])

    # ------------------------------------------------------------------ the task policy

    def evaluate_task(self, data: CostSamples) -> Tensor:
        """Step 3: Q towards the soft return of the task policy and its adversary."""
        policy, next_obs = self.policy, data.next_observations
        rewards, discounts, ended = (
            part.squeeze(1) for part in (data.rewards, data.discounts, data.dones)
        )
        with torch.no_grad():
            control, log_prob = policy.actor.sample(next_obs)
            pair = policy.players.task_pair(next_obs, control)
            following = policy.critic_target.values(next_obs, pair).amin(0)
            entropy = -self._temperature() * log_prob
            target = task_target(rewards, discounts, ended, following, entropy)
        return self._fit("critic", policy.critic, data, target)

    def improve_task(self, obs: PyTorchObs, safety: Safety | None, number: int) -> Record:
        """Step 4: mu descends Q; pi follows Q within the set, and safety outside of it.

        Args:
            safety: of the states; None where there is no constraint.
            number: of the update.
        """
        control, log_prob = self.policy.actor.sample(obs)
        record = self._renew_temperature(log_prob)
        q = self._attacked_value(obs, control)
        moves = number % self.update.policy_delay == 0
        renews = safety is not None and number % self.multiplier.multiplier_delay == 0
        q_safety = None
        if safety is not None and (moves or renews):
            pair = torch.cat([control, safety.move], dim=1)
            q_safety = self.policy.safety_critic.values(obs, pair).amin(0)
            q_safety = q_safety - self.multiplier.constraint_margin
        if moves:
            penalty = self._temperature() * log_prob
            loss = self._policy_loss(obs, control, penalty, q, safety, q_safety)
            record["actor_loss"] = self._descend("actor", self.policy.actor, loss)
        if renews:
            record |= self._renew_multiplier(obs, q_safety.detach(), safety.inside)
        return record

    def _attacked_value(self, obs: PyTorchObs, control: Tensor) -> Tensor:
        """Q(x, u, mu(x)) [B], after a step of mu against it."""
        adversary, critic = self.policy.players.adversary, self.policy.critic
        if adversary is None:
            return critic.values(obs, control).amin(0)
        move = adversary(obs)
        held = move.detach().requires_grad_(True)
        q = critic.values(obs, torch.cat([control, held], dim=1)).amin(0)
        (slope,) = torch.autograd.grad(q.mean(), held, retain_graph=True)
        own = _own_weights(adversary)
        self._move("adversary", adversary, q.mean(), torch.autograd.grad(move, own, slope))
        return q

    def _policy_loss(
        self,
        obs: PyTorchObs,
        control: Tensor,
        penalty: Tensor,
        q: Tensor,
        safety: Safety | None,
        q_safety: Tensor | None,
    ) -> Tensor:
        if safety is None or q_safety is None:
            return (penalty - q).mean()
        if self.multiplier.constraint == "augmented":
            gain = augmented_lagrangian(q, q_safety, self.policy.lam, self.multiplier.rho)
        else:
            gain = lagrangian(q, q_safety, self._multiplier(obs))
        if self.safety.outside == "maximise":
            outside = penalty - q_safety
        else:
            outside = imitation(control, self.policy.players.safety_control(obs))
        return split_policy_loss(safety.inside, penalty - gain, outside)

    def _inside(self, value: Tensor) -> Tensor:
        """Where the constraint is one: plain ascent counts every state as inside."""
        if self.multiplier.multiplier_loss == "ascent":
            return torch.ones_like(value, dtype=torch.bool)
        return inside_set(value, self.safety.region_margin)

    # ------------------------------------------------------------------ numbers

    def _multiplier(self, obs: PyTorchObs) -> Tensor:
        """lambda(x) [B], or one number []."""
        is_net = self.multiplier.constraint == "network"
        with torch.no_grad():
            lam: Tensor = self.policy.multiplier(obs) if is_net else self.policy.multiplier()
        return lam.clamp(max=self.multiplier.max_lam)

    def _renew_multiplier(self, obs: PyTorchObs, q_safety: Tensor, inside: Tensor) -> Record:
        """A step of lambda on what Q_h says of the task policy's controls, [B]."""
        policy, options = self.policy, self.multiplier
        if options.constraint == "augmented":
            if inside.any():
                rest = (options.rho, options.augmented_rate, options.max_lam)
                policy.lam.copy_(augmented_multiplier(policy.lam, q_safety[inside], *rest))
            return {"lagrange_multiplier": policy.lam.clone()}
        if options.constraint == "scalar":
            lam = policy.multiplier().expand_as(q_safety)
            loss = split_multiplier_loss(lam, q_safety, inside, options.max_lam).inside
        else:
            lam = policy.multiplier(obs)
            if options.multiplier_loss == "split":
                parts = split_multiplier_loss(lam, q_safety, inside, options.max_lam)
                loss = parts.inside + parts.outside
            else:
                loss = ascent_multiplier_loss(lam, q_safety)
        self._descend("multiplier", policy.multiplier, loss)
        return {"lagrange_multiplier": lam.mean(), "multiplier_loss": loss}

    def _temperature(self) -> Tensor:
        """alpha, without its gradient."""
        if self.update.ent_coef == "auto":
            return self.policy.temperature().detach()
        return torch.tensor(float(self.update.ent_coef))

    def _renew_temperature(self, log_prob: Tensor) -> Record:
        if self.update.ent_coef == "auto":
            temperature = self.policy.temperature
            loss = temperature_loss(temperature.log, log_prob, self.target_entropy)
            self._descend("temperature", temperature, loss)
        return {"ent_coef": self._temperature()}

    # ------------------------------------------------------------------ steps

    def _fit(self, name: str, net: QEnsemble, data: CostSamples, target: Tensor) -> Tensor:
        return fit_critic(name, net, data, target, self.update.max_grad_norm)

    def _descend(self, name: str, net: Any, loss: Tensor) -> Tensor:
        """A step of one network down a loss in which others have a part too."""
        self._move(name, net, loss, torch.autograd.grad(loss, _own_weights(net)))
        return loss.detach()

    def _move(self, name: str, net: Any, loss: Tensor, found: Sequence[Tensor]) -> None:
        """A step of one network by gradients of its weights."""
        for weight, gradient in zip(_own_weights(net), found, strict=True):
            weight.grad = gradient
        take_step(name, net, loss, self.update.max_grad_norm)


def _own_weights(net: Any) -> list[Tensor]:
    """Those that its optimiser moves."""
    own: list[Tensor] = net.optimizer.param_groups[0]["params"]
    return own


def _weights(policy: DRACPolicy, names: list[str], suffix: str) -> list[Tensor]:
    return [weight for name in names for weight in getattr(policy, name + suffix).parameters()]
