"""Policies of Stable-Baselines3, sb3-contrib and this package, built again from a file's data.

The file chooses among classes that are listed here; it cannot bring its own. What is built is a
policy to act with: no optimiser's state, no replay buffer, no schedule.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.torch_layers import CombinedExtractor, FlattenExtractor, NatureCNN
from torch import Tensor

from safer_gym.conformance.loading.as_data import Name
from safer_gym.conformance.loading.numbers_within import NumbersWithin
from safer_gym.conformance.loading.refusals import MaskedPolicy
from safer_gym.conformance.loading.sb3_file import Sb3File
from safer_gym.conformance.loading.spaces import space_of
from safer_gym.conformance.loading.values import activation_of, plain
from safer_gym.domains import shown

OFF_POLICY = ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")
CLASSES: Mapping[str, tuple[str, ...]] = {
    "stable_baselines3.common.policies": (
        "ActorCriticPolicy",
        "ActorCriticCnnPolicy",
        "MultiInputActorCriticPolicy",
    ),
    "stable_baselines3.sac.policies": ("SACPolicy", *OFF_POLICY),
    "stable_baselines3.td3.policies": ("TD3Policy", *OFF_POLICY),
    "stable_baselines3.dqn.policies": ("DQNPolicy", *OFF_POLICY),
    "sb3_contrib.common.recurrent.policies": (
        "RecurrentActorCriticPolicy",
        "RecurrentActorCriticCnnPolicy",
        "RecurrentMultiInputActorCriticPolicy",
    ),
    "sb3_contrib.ars.policies": ("ARSPolicy", "ARSLinearPolicy"),
    "sb3_contrib.qrdqn.policies": ("QRDQNPolicy", *OFF_POLICY),
    "sb3_contrib.tqc.policies": ("TQCPolicy", *OFF_POLICY),
    "sb3_contrib.crossq.policies": ("CrossQPolicy", *OFF_POLICY),
}
"""Module to the classes in it that a file may ask for, beside the registered algorithms' own."""
MOVED = {"safer_gym.agents.common.policies": "safer_gym.agents.networks.actor_critics"}
"""Modules by the names that older files have for them."""
MASKED = "sb3_contrib.common.maskable."

EXTRACTORS = {
    Name("stable_baselines3.common.torch_layers", cls.__name__): cls
    for cls in (FlattenExtractor, NatureCNN, CombinedExtractor)
}
SLACK = 100_000
"""Numbers that a network may hold beside twice its weights."""
IRRELEVANT = ("optimizer_class", "optimizer_kwargs", "device")
"""Options that do not change how a policy acts."""


class NoOptimizer:
    """Takes an optimiser's place in a policy that will not learn; a real one is slow to make."""

    def __init__(self, params: Any, **options: Any) -> None:
        """Forget everything."""


def build_policy(file: Sb3File) -> Any:
    """The policy of a saved model, in evaluation mode on the CPU.

    Raises:
        ValueError: its class, a space or an option is not among those that are read as data, or
            the weights do not fit the network that the options describe.
        ModuleNotFoundError: it needs sb3-contrib, which is not installed.
    """
    named = file.policy_class
    named = named._replace(module=MOVED.get(named.module, named.module))
    from safer_gym.agents.registry import written_by

    writer = written_by(str(file.data.get("algorithm", "")))
    agent = None if writer is None else writer.load()
    made_by = _policy_class(named, agent)
    options = _options(file, made_by)
    _check_sizes(options, file.weights)
    spaces = [space_of(file.value(f"{name}_space")) for name in ("observation", "action")]
    # The networks start with random weights; the global stream must not notice.
    most = SLACK + 2 * sum(tensor.numel() for tensor in file.weights.values())
    with torch.random.fork_rng(devices=[]), NumbersWithin(most):
        policy = _made(made_by, *spaces, **_of_learning(made_by), **options)
    try:
        policy.load_state_dict(_renamed(file.weights, made_by), strict=True)
    except RuntimeError as error:
        raise ValueError(f"its weights do not fit its network: {error}") from error
    policy.set_training_mode(False)
    read = getattr(agent, "read_policy", None)
    return policy if read is None else read(policy, file.value)


def _made(made_by: Any, *spaces: Any, **options: Any) -> Any:
    """A policy; an option of another type than its class expects is a fault of the file."""
    try:
        return made_by(*spaces, **options)
    except (ValueError, ImportError, MemoryError):
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"its options make no {made_by.__name__} ({what})") from error


def _renamed(weights: dict[str, Tensor], made_by: Any) -> dict[str, Tensor]:
    """Weights by their present names: ARS's linear policies held a layer, now a Sequential."""
    if made_by.__name__ != "ARSLinearPolicy":
        return weights
    return {re.sub(r"^action_net\.(?=\D)", "action_net.0.", k): v for k, v in weights.items()}


def _policy_class(named: Name, agent: Any) -> Any:
    """The class of that name, among those of the algorithm that wrote the file and SB3's."""
    for known in getattr(agent, "policy_aliases", {}).values():
        if (known.__module__, known.__qualname__) == (named.module, named.name):
            return known
    if named.name in CLASSES.get(named.module, ()):
        return getattr(import_module(named.module), named.name)
    raise ValueError(f"its policy class is {named}, none of those that can be built from data")


def refuse_masked(file: Sb3File, path: Path) -> None:
    """Raises MaskedPolicy for sb3-contrib's MaskablePPO."""
    if file.policy_class.module.startswith(MASKED):
        raise MaskedPolicy(str(path))


def _of_learning(made_by: Any) -> dict[str, Any]:
    """What a policy that learns by gradients also takes; that of ARS does not."""
    unused = {"lr_schedule": lambda progress: 0.0, "optimizer_class": NoOptimizer}
    return {key: value for key, value in unused.items() if key in _options_of(made_by)}


def _options(file: Sb3File, made_by: Any) -> dict[str, Any]:
    given = file.value("policy_kwargs") or {}
    if not isinstance(given, dict):
        raise ValueError("its policy_kwargs are no dict")
    known = _options_of(made_by)
    if "use_sde" in known:
        given = {"use_sde": file.value("use_sde"), **given}
    options = {}
    for key, value in given.items():
        if key in IRRELEVANT:
            continue
        if key not in known:
            raise ValueError(f"its policy has the option {key!r}, which {made_by.__name__} has not")
        try:
            options[key] = DECODERS.get(key, plain)(value)
        except ValueError as error:
            raise ValueError(f"its policy's option {key!r} is {error}") from error
    return options


def _options_of(made_by: Any) -> set[str]:
    """Names of the options of a class, those that it hands on to its base included."""
    names: set[str] = set()
    for base in made_by.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters.values()
            names |= {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
            if all(p.kind is not p.VAR_KEYWORD for p in parameters):
                break
    return names


def _extractor(value: Any) -> Any:
    if value not in EXTRACTORS:
        raise ValueError(f"{value}; read as data are Stable-Baselines3's own extractors")
    return EXTRACTORS[value]


def _arch(value: Any) -> Any:
    """Widths; before Stable-Baselines3 1.8 the dict of both networks stood in a list."""
    widths = plain(value)
    if isinstance(widths, list) and widths and isinstance(widths[0], dict):
        return widths[0]
    return widths


DECODERS: dict[str, Callable[[Any], Any]] = {
    "activation_fn": activation_of,
    "features_extractor_class": _extractor,
    "net_arch": _arch,
}


def _check_sizes(options: dict[str, Any], weights: dict[str, Tensor]) -> None:
    """Not even the modules of more layers or members than the file has tensors are made."""
    if len(_numbers(options.get("net_arch"))) > len(weights):
        raise ValueError(f"its net_arch has more layers than the file has tensors, {len(weights)}")
    for key in ("n_critics", "n_cost_critics", "n_lstm_layers"):
        count = options.get(key, 0)
        if type(count) is not int or not 0 <= count <= len(weights):
            raise ValueError(f"its {key} is {shown(count)}, with {len(weights)} tensors")


def _numbers(value: Any) -> list[int]:
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(parts, (list, tuple)) or isinstance(value, dict):
        return [number for part in parts for number in _numbers(part)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []
