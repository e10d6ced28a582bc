"""Algorithms by name: the one table, to which others add theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from safer_gym.agents.drac.recipes import GENERAL as DRAC_GENERAL
from safer_gym.agents.drac.recipes import recipes_of
from safer_gym.agents.training.recipes import GENERAL, RECIPES, Recipe
from safer_gym.choices import choose

NATURAL = ("natural",)
ATTACKED = ("natural", "mc", "mr")


class Algorithm(NamedTuple):
    """What the commands, the files of models and the experiments need of an algorithm."""

    name: str
    """How `safer-gym train --algorithm` knows it."""
    place: str
    """Its class, "module:Class"; imported when it is needed."""
    chosen_by: tuple[str, ...]
    """The attacks on whose episodes `train` chooses the policy that it keeps."""

    @property
    def class_name(self) -> str:
        """What a saved model says of who wrote it."""
        return self.place.rpartition(":")[2]

    def load(self) -> Any:
        """The class."""
        module, _, name = self.place.partition(":")
        return getattr(import_module(module), name)


ALGORITHMS: dict[str, Algorithm] = {}
"""What is registered, by name."""


def register_algorithm(
    name: str,
    algorithm: type | str,
    *,
    recipes: Mapping[str, Recipe] | None = None,
    general: Recipe | None = None,
    chosen_by: Sequence[str] = NATURAL,
) -> None:
    """Make an algorithm known by name to every command, to loading and to the experiments.

    Args:
        name: how it is asked for. One class may have several names, by its recipes.
        algorithm: its class, or "module:Class". A saved model that names this class is built from
            data where its policy class is among the class's `policy_aliases`.
        recipes: how it is trained, by task: `total_timesteps`, `n_envs` and constructor `kwargs`.
        general: the same where a task has no recipes of its own, such as a user's environment.
        chosen_by: the attacks on whose episodes `train` chooses the policy that it keeps.

    Raises:
        ValueError: the name is taken by another class.
    """
    place = algorithm
    if not isinstance(place, str):
        place = f"{place.__module__}:{place.__qualname__}"
    if name in ALGORITHMS and ALGORITHMS[name].place != place:
        raise ValueError(f"algorithm {name!r} is registered already; choose another name")
    ALGORITHMS[name] = Algorithm(name, place, tuple(chosen_by))
    for task, recipe in (recipes or {}).items():
        RECIPES.setdefault(task, {})[name] = recipe
    if general is not None:
        GENERAL[name] = general


def find_algorithm(name: str) -> Algorithm:
    """An algorithm by name.

    Raises:
        ValueError: no such algorithm; names the nearest one.
    """
    return ALGORITHMS[choose("algorithm", name, ALGORITHMS)]


def written_by(class_name: str) -> Algorithm | None:
    """The first algorithm of that class, as a saved model names it; None for one not registered."""
    found = (known for known in ALGORITHMS.values() if known.class_name == class_name)
    return next(found, None)


def find_recipe(task: str, name: str) -> Recipe:
    """How a task is trained by an algorithm, or by the recipe of another name.

    A task without recipes of its own is trained with the constructors' defaults.

    Raises:
        ValueError: the task has no recipe of that name; names the nearest one.
    """
    recipes = RECIPES.get(task, GENERAL)
    return recipes[choose("algorithm", name, recipes)]


for _name, _place, _chosen_by in (
    ("safer", "safer_gym.agents:SAFER", ATTACKED),
    ("safer-attacked", "safer_gym.agents:SAFER", ATTACKED),
    ("cvpo", "safer_gym.agents:CVPO", NATURAL),
    ("sac-lagrangian", "safer_gym.agents:SACLagrangian", NATURAL),
    ("td3-lagrangian", "safer_gym.agents:TD3Lagrangian", NATURAL),
    ("ddpg-lagrangian", "safer_gym.agents:DDPGLagrangian", NATURAL),
    ("trpo-lagrangian", "safer_gym.agents.trpo_lagrangian:TRPOLagrangian", NATURAL),
    ("ppol", "safer_gym.agents:PPOLagrangian", NATURAL),
    ("ppol-random", "safer_gym.agents:PPOLagrangian", NATURAL),
    ("sa-ppol", "safer_gym.agents:PPOLagrangian", NATURAL),
    ("sa-ppol-mc", "safer_gym.agents:PPOLagrangian", ATTACKED),
    ("sa-ppol-mr", "safer_gym.agents:PPOLagrangian", ATTACKED),
    ("adv-ppol", "safer_gym.agents:PPOLagrangian", ATTACKED),
    ("sac", "stable_baselines3:SAC", NATURAL),
    ("td3", "stable_baselines3:TD3", NATURAL),
    ("ddpg", "stable_baselines3:DDPG", NATURAL),
    ("ppo", "stable_baselines3:PPO", NATURAL),
    ("a2c", "stable_baselines3:A2C", NATURAL),
    ("trpo", "sb3_contrib:TRPO", NATURAL),
    ("tqc", "sb3_contrib:TQC", NATURAL),
    ("crossq", "sb3_contrib:CrossQ", NATURAL),
):
    register_algorithm(_name, _place, chosen_by=_chosen_by)

for _name in ("drac", "rsac", "rac"):
    register_algorithm(
        _name, "safer_gym.agents:DRAC", recipes=recipes_of(_name), general=DRAC_GENERAL[_name]
    )
