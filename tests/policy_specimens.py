"""Policies that every door must refuse: they are not what is read of them, or they remember."""

from __future__ import annotations

import ctypes
import functools
import itertools
import sys
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor, nn

from safer_gym.types import Victim

HORIZON = 4


class Track(gym.Env):
    """Moves with the action; a step costs 1 where |action| is above a half."""

    observation_space = gym.spaces.Box(-10.0, 10.0, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    spec = gym.envs.registration.EnvSpec("Track-v0", max_episode_steps=HORIZON)
    max_step_cost = 1.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.x, self.t = self.np_random.uniform(-0.5, 0.5, 2).astype(np.float32), 0
        return self.x.copy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.x = np.clip(self.x + 0.1 * float(action[0]), -10, 10).astype(np.float32)
        self.t += 1
        cost = float(abs(float(action[0])) > 0.5)
        return self.x.copy(), 1.0, False, self.t >= HORIZON, {"cost": cost}


def ppo(policy: Any = "MlpPolicy", cls: Any = PPO, **options: Any) -> Any:
    """A small PPO whose actions are near zero."""
    return cls(
        policy, DummyVecEnv([Track]), n_steps=8, batch_size=8, seed=0, device="cpu",
        policy_kwargs={"net_arch": [8], **options},
    )  # fmt: skip


def sac() -> Any:
    """A small SAC."""
    return SAC("MlpPolicy", Track(), seed=0, device="cpu", buffer_size=10,
               policy_kwargs={"net_arch": [8]})  # fmt: skip


class OtherAction(ActorCriticPolicy):
    """Deployed, it acts at the edge of its box."""

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        return super()._predict(observation, deterministic) + 0.9


class OtherPredict(ActorCriticPolicy):
    def predict(self, *args: Any, **options: Any) -> Any:
        actions, state = super().predict(*args, **options)
        return np.clip(actions + 0.9, -1.0, 1.0), state


class OtherDraw(ActorCriticPolicy):
    """Only its draws are others."""

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        action = super()._predict(observation, deterministic)
        return action if deterministic else 0.5 * action


class OtherFarAway(ActorCriticPolicy):
    """Only where no probe looks."""

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        action = super()._predict(observation, deterministic)
        return torch.where(observation[:, :1] > 9.99, 1.0, action)


class OtherAlone(PPO):
    """Only a single observation is answered otherwise."""

    def predict(self, observation: Any, *args: Any, **options: Any) -> Any:
        actions, state = super().predict(observation, *args, **options)
        return (actions if np.ndim(observation) > 1 else actions + 0.9), state


def hooked(make: Callable[[], Any], place: str, *, before: bool = False) -> Any:
    """A model with a hook that changes what a part gives, or what it takes."""
    model = make()
    part = model.policy.get_submodule(place)
    if before:
        part.register_forward_pre_hook(lambda module, args: (args[0] + 3.0, *args[1:]))
    else:
        part.register_forward_hook(lambda module, args, out: out + 0.9)
    return model


def patched(method: str) -> Any:
    """A model with a method of its own, on the object."""
    model = ppo()
    own = getattr(model.policy, method)
    setattr(model.policy, method, lambda *args, **options: own(*args, **options))
    return model


def far_hook() -> Any:
    """A hook that acts only where no probe looks."""
    model = sac()
    model.policy.actor.register_forward_hook(
        lambda module, args, out: torch.where(args[0][:, :1] > 9.99, 1.0, out)
    )
    return model


class OwnDraws(DiagGaussianDistribution):
    """Deployed, it draws at the edge; its mode is the known one."""

    def sample(self) -> Tensor:
        return torch.ones_like(super().sample())


def draws_by_its_own() -> Any:
    """A model whose distribution was exchanged."""
    model = ppo()
    model.policy.action_dist = OwnDraws(1)
    return model


def another() -> Any:
    """The first of them."""
    return ppo(OtherAction)


ANOTHER: dict[str, Callable[[], Any]] = {
    "a subclass with _predict": lambda: ppo(OtherAction),
    "a subclass with predict": lambda: ppo(OtherPredict),
    "a subclass that draws otherwise": lambda: ppo(OtherDraw),
    "a subclass that differs far away": lambda: ppo(OtherFarAway),
    "a model that differs for one observation": lambda: ppo(cls=OtherAlone),
    "a hook on the action": lambda: hooked(ppo, "action_net"),
    "a hook before a hidden layer": lambda: hooked(ppo, "mlp_extractor.policy_net.0", before=True),
    "a hook on the actor": lambda: hooked(sac, "actor"),
    "a hook that acts far away": far_hook,
    "a patched _predict": lambda: patched("_predict"),
    "a patched predict": lambda: patched("predict"),
    "a patched get_distribution": lambda: patched("get_distribution"),
    "a distribution of its own": draws_by_its_own,
}
"""Deployed they are not what is read of their parts."""


class Network(nn.Module):
    """A small network without a memory."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.net = nn.Linear(2, 1)

    def forward(self, obs: Tensor) -> Tensor:
        return 0.1 * torch.tanh(self.net(obs))


class Hidden(Network):
    """A recurrent cell that keeps its state in a buffer, as exported controllers do."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(2, 4)
        self.out = nn.Linear(4, 1)
        self.register_buffer("h", torch.zeros(1, 4))
        self.register_buffer("c", torch.zeros(1, 4))

    def forward(self, obs: Tensor) -> Tensor:
        h, c = self.cell(obs, (self.h.expand(len(obs), 4), self.c.expand(len(obs), 4)))
        self.h, self.c = h[:1].detach(), c[:1].detach()
        return torch.tanh(self.out(h))


class Counter(Network):
    """A buffer counts its calls; the action does not show it at first."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, obs: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return torch.where(self.calls > 1000, 1.0, super().forward(obs))


class TorchScriptCounter(nn.Module):
    """As scripted for a robot: an attribute that is no buffer."""

    def __init__(self, after: int = 2) -> None:
        super().__init__()
        self.calls, self.after = 0, after
        self.net = nn.Linear(2, 1)

    def forward(self, obs: Tensor) -> Tensor:
        self.calls += 1
        action = 0.1 * torch.tanh(self.net(obs))
        return action if self.calls <= self.after else torch.ones_like(action)


def scripted(module: nn.Module) -> Any:
    """As TorchScript; torch warns that it is old, robots have it all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(module)


class Batched(Network):
    """Reads the rows of a batch as a sequence."""

    def forward(self, obs: Tensor) -> Tensor:
        return torch.tanh(torch.cumsum(super().forward(obs), 0))


class Smooths:
    """Acts on a running mean of its observations, which its `predict` returns as its state."""

    def predict(self, obs: Any, state: Any = None, episode_start: Any = None,
                deterministic: bool = True) -> Any:  # fmt: skip
        mean = obs if state is None else 0.5 * (state["mean"] + obs)
        return np.tanh(mean[:, :1]), {"mean": mean}


class SmoothsOne(Smooths):
    """Its state has no axis for the rows of a batch, and it knows nothing of episodes' starts."""

    def predict(self, obs: Any, state: Any = None, deterministic: bool = True) -> Any:
        given = None if state is None else {"mean": state[0][None]}
        actions, state = super().predict(obs, given)
        return actions, (state["mean"][0], 7)


class SmoothsAndCounts(Smooths):
    """The state that it returns is not all that it remembers."""

    calls = 0

    def predict(self, obs: Any, *args: Any, **options: Any) -> Any:
        self.calls += 1
        actions, state = super().predict(obs, *args, **options)
        return actions + (self.calls > 3), state


class Grows(Smooths):
    """Its state is longer after each step."""

    def predict(self, obs: Any, state: Any = None, episode_start: Any = None,
                deterministic: bool = True) -> Any:  # fmt: skip
        seen = [*(state or []), obs]
        return np.tanh(np.mean(seen, 0)[:, :1]), seen


class GRU(nn.Module):
    """Returns its hidden units beside the action."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.cell, self.out = nn.GRUCell(2, 4), nn.Linear(4, 1)

    def forward(self, obs: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden = self.cell(obs, hidden)
        return torch.tanh(3.0 * self.out(hidden)), hidden


class LSTM(nn.Module):
    """Cannot do without its two states."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.cell, self.out = nn.LSTM(2, 4), nn.Linear(4, 1)

    def forward(self, obs: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, (h, c) = self.cell(obs.unsqueeze(0), (h, c))
        return torch.tanh(3.0 * self.out(hidden[0])), h, c


class CountsCalls:
    """Acts otherwise after a while."""

    def __init__(self, after: int) -> None:
        self.after, self.calls = after, 0

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.full(1, float(self.calls > self.after), np.float32)


class Averages:
    """Acts on the mean of its last observations."""

    def __init__(self) -> None:
        self.last: list[np.ndarray] = []

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        self.last = [*self.last[-3:], np.array(obs)]
        return np.tanh(np.mean(self.last, 0)[:1])


def closure() -> Any:
    """A function that counts in a variable of its own."""
    calls = 0

    def act(obs: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        return np.full(1, float(calls > 10_000), np.float32)

    return act


GLOBAL = {"calls": 0}


class Shared:
    """Counts in its class, and in a variable of its module; its objects hold nothing."""

    __slots__ = ("calls",)
    of_all = 0

    def __init__(self, where: str) -> None:
        self.calls = {"class": -1, "global": -2}.get(where, 0)

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        if self.calls >= 0:
            self.calls += 1
        elif self.calls == -1:
            Shared.of_all += 1
        else:
            GLOBAL["calls"] += 1
        return np.zeros(1, np.float32)


class CountingExtractor(FlattenExtractor):
    """A part of a model, which counts in a plain attribute."""

    calls = 0

    def forward(self, obs: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(obs) + 100.0 * (self.calls > 10_000)


class HalfCounter(Network):
    """Its buffer is of a type that NumPy does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.bfloat16))

    def forward(self, obs: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return torch.where(self.calls > 200, 1.0, super().forward(obs))


def hook_that_counts() -> nn.Module:
    """A module's own hook remembers for it."""
    network, calls = Network(), [0]

    def hook(module: nn.Module, args: Any, out: Tensor) -> Tensor:
        calls[0] += 1
        return out + float(calls[0] > 10_000)

    network.register_forward_hook(hook)
    return network


def counts_by(step: Callable[[], int]) -> Any:
    """A function that acts otherwise after long; `step` counts its calls somewhere."""
    return lambda obs: np.full(1, float(step() > 10_000), np.float32)


def counter_of_context() -> Any:
    """Counts in a context variable."""
    calls = ContextVar("calls", default=0)

    def step() -> int:
        calls.set(calls.get() + 1)
        return calls.get()

    return counts_by(step)


def counter_of_c() -> Any:
    """Counts in a number of C."""
    calls = ctypes.c_long(0)

    def step() -> int:
        calls.value += 1
        return calls.value

    return counts_by(step)


def counter_elsewhere() -> Any:
    """Counts in a variable of another module, in a function inside a function."""
    sys.modules["elsewhere"] = elsewhere = ModuleType("elsewhere")
    elsewhere.calls = 0  # type: ignore[attr-defined]

    def step() -> int:
        def inside() -> int:
            elsewhere.calls += 1  # type: ignore[attr-defined]
            return elsewhere.calls  # type: ignore[attr-defined]

        return inside()

    return counts_by(step)


def counter_of_iterators() -> Any:
    """Counts in an iterator, which nobody can look into but by a copy."""
    calls = itertools.cycle([*[0] * 10_000, 20_000])
    return counts_by(lambda: next(calls))


def bound_list() -> Any:
    """A function that counts in an argument bound to it."""

    def act(calls: list[int], obs: np.ndarray) -> np.ndarray:
        calls[0] += 1
        return np.zeros(1, np.float32)

    return functools.partial(act, [0])


def noisy() -> Any:
    """Asked for its deterministic action, it draws."""
    rng = np.random.default_rng(0)
    return lambda obs: rng.normal(size=1).astype(np.float32)


def recurrent() -> Any:
    """sb3-contrib's recurrent PPO."""
    import sb3_contrib

    return sb3_contrib.RecurrentPPO(
        "MlpLstmPolicy", DummyVecEnv([Track]), n_steps=8, batch_size=8, seed=0, device="cpu",
        policy_kwargs={"lstm_hidden_size": 8, "net_arch": [8]},
    )  # fmt: skip


RECURRENT: dict[str, Callable[[], Any]] = {
    "a recurrent PPO": recurrent,
    "a state from predict": Smooths,
    "a state of one row": SmoothsOne,
    "a GRU": GRU,
    "a scripted GRU": lambda: scripted(GRU()),
    "an LSTM": LSTM,
    "a scripted LSTM with its states": lambda: scripted(LSTM()),
}
"""They act by the observation, and by a state that they return and are given again."""


REMEMBERING: dict[str, Callable[[], Any]] = {
    "a state that is not all": SmoothsAndCounts,
    "a state that grows": Grows,
    "an LSTM in a buffer": Hidden,
    "a scripted LSTM": lambda: scripted(Hidden()),
    "a counting buffer": Counter,
    "a scripted counter": lambda: scripted(TorchScriptCounter()),
    "a scripted counter for long": lambda: scripted(TorchScriptCounter(10_000)),
    "rows as a sequence": Batched,
    "a callable that counts": lambda: CountsCalls(10),
    "a callable that counts for long": lambda: CountsCalls(10_000),
    "a callable that averages": Averages,
    "a closure that counts": closure,
    "a slot that counts": lambda: Shared("slot"),
    "a class that counts": lambda: Shared("class"),
    "a module that counts": lambda: Shared("global"),
    "an argument that counts": bound_list,
    "a policy that draws": noisy,
    "a features extractor that counts": lambda: ppo(features_extractor_class=CountingExtractor),
    "a half-precision counter": HalfCounter,
    "a hook that counts": hook_that_counts,
    "a context variable that counts": counter_of_context,
    "a number of C that counts": counter_of_c,
    "another module that counts": counter_elsewhere,
    "an iterator that counts": counter_of_iterators,
}
"""They act by more than the observation and the state that they return."""


class Writes(Network):
    """Clips what it was given in the given memory."""

    def forward(self, obs: Tensor) -> Tensor:
        return super().forward(obs.clamp_(-0.01, 0.01))


class WrongShape(Network):
    def forward(self, obs: Tensor) -> Tensor:
        return super().forward(obs).expand(-1, 3)


def of_other_spaces() -> Any:
    """A model of another environment."""

    class Wide(Track):
        observation_space = gym.spaces.Box(-10.0, 10.0, (5,), np.float32)

    return PPO("MlpPolicy", DummyVecEnv([Wide]), n_steps=8, batch_size=8, device="cpu")


MISFITS: dict[str, Callable[[], Any]] = {
    "a model of other observations": of_other_spaces,
    "a network of other observations": lambda: nn.Linear(5, 1),
    "a network of other actions": WrongShape,
    "a network that writes to observations": Writes,
    "a callable of other actions": lambda: lambda obs: np.zeros(2, np.float32),
}
"""They do not fit the environment."""


def nan() -> nn.Module:
    """Every action is NaN."""
    net = nn.Linear(2, 1)
    nn.init.constant_(net.weight, float("nan"))
    return net


class Unclipped:
    """Its `predict` leaves it to the environment to cut actions to the box."""

    def predict(self, obs: Any, deterministic: bool = True) -> Any:
        return 3.0 * np.asarray(obs)[:, :1], None

    def victim(self) -> Victim:
        return Victim(lambda obs: torch.clamp(3.0 * obs[:, :1], -1.0, 1.0))


HONEST: dict[str, Callable[[], Any]] = {
    "a PPO": ppo,
    "a SAC": sac,
    "a network": Network,
    "a scripted network": lambda: scripted(Network()),
    "an object that leaves actions unclipped": Unclipped,
    "a function": lambda: lambda obs: 0.1 * np.tanh(obs[:1]),
    "an object that keeps its last action": lambda: _Shows(),
    **RECURRENT,
}
"""Nothing is wrong with these."""


class _Shows:
    last: Any = None

    def __call__(self, obs: np.ndarray) -> np.ndarray:
        self.last = 0.1 * np.tanh(obs[:1])
        return self.last
