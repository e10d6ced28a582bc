"""How deep classes are and how many arguments their constructors have, and options in groups."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from agent_envs import Timed, small_agent

import safer_gym.agents
from safer_gym.agents import CVPO, SAFER, DDPGLagrangian, SACLagrangian
from safer_gym.agents.certified.options import CertifiedOptions
from safer_gym.agents.cvpo.options import EStepOptions, MStepOptions
from safer_gym.agents.options import BallOptions, CostOptions, CriticOptions
from safer_gym.agents.safer.options import ExplorationOptions, RobustOptions

DEEPEST, MOST_ARGUMENTS = 2, 30
OWN = ("safer_gym.", "tests.", __name__)


def depth(cls: type) -> int:
    """The longest chain of classes of this project, with the class itself."""
    if not cls.__module__.startswith(OWN):
        return 0
    return 1 + max((depth(base) for base in cls.__bases__), default=0)


def arguments(cls: type) -> int:
    """Of a constructor that is written out; a dataclass lists its fields, one option each."""
    return len(inspect.signature(cls.__init__).parameters) - 1


def own_classes() -> Iterator[type]:
    for found in pkgutil.walk_packages(safer_gym.agents.__path__, "safer_gym.agents."):
        for cls in vars(import_module(found.name)).values():
            if inspect.isclass(cls) and cls.__module__ == found.name:
                yield cls


def test_classes_are_shallow_and_constructors_short() -> None:
    classes = list(own_classes())
    assert {CVPO, SAFER, SACLagrangian, DDPGLagrangian} <= set(classes)
    assert {cls.__name__: depth(cls) for cls in classes if depth(cls) > DEEPEST} == {}
    assert {c.__name__: arguments(c) for c in classes if arguments(c) > MOST_ARGUMENTS} == {}


def test_a_deep_class_and_a_long_constructor_would_be_seen() -> None:
    class Deeper(SAFER):
        pass

    namespace: dict[str, Any] = {}
    exec(f"def __init__(self, {', '.join(f'a{i}' for i in range(31))}): pass", namespace)
    assert depth(Deeper) == 3
    assert arguments(type("Long", (), {"__init__": namespace["__init__"]})) == 31


# ---------------------------------------------------------------- options

GROUPS = (
    *(CostOptions, CriticOptions, EStepOptions, MStepOptions, BallOptions, CertifiedOptions),
    RobustOptions,
)


def test_no_two_groups_share_a_field() -> None:
    names = [field.name for group in (*GROUPS, ExplorationOptions) for field in fields(group)]
    assert len(names) == len(set(names))
    assert all(is_dataclass(group) for group in GROUPS)


def test_a_group_a_dict_and_a_field_say_the_same() -> None:
    alone = small_agent("SAFER", n_particles=5, norm="l2", adversarial_weight=0.5)
    in_dicts = SAFER(
        "MlpPolicy",
        Timed(),
        estep={"n_particles": 5},
        ball={"norm": "l2"},
        robust={"adversarial_weight": 0.5},
    )
    whole = SAFER(
        "MlpPolicy",
        Timed(),
        estep=EStepOptions(n_particles=5),
        ball=BallOptions(norm="l2"),
        robust=RobustOptions(adversarial_weight=0.5),
    )
    for name in ("estep", "ball", "robust", "mstep", "cost", "critics", "exploration"):
        assert getattr(alone, name) == getattr(in_dicts, name) == getattr(whole, name), name


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_particle": 3}, ValueError, "Did you mean 'n_particles'"),
        ({"robus": {}}, ValueError, "Did you mean 'robust'"),
        ({"estep": {"n_particle": 3}}, ValueError, "Did you mean 'n_particles'"),
        ({"estep": {"n_particles": 3}, "n_particles": 4}, ValueError, "given twice"),
        ({"estep": MStepOptions()}, TypeError, "estep must be a EStepOptions or a dict"),
        ({"mstep": {"kl_mode": "jiont"}}, ValueError, "Did you mean 'joint'"),
        ({"cost": {"cost_action": "means"}}, ValueError, "Did you mean 'mean'"),
        ({"critics": {"cost_aggregation": "maximum"}}, ValueError, "cost_aggregation must be"),
        ({"exploration": {"offset_share": 2.0}}, ValueError, "offset_share must be a number in"),
    ],
)
def test_wrong_options_are_refused_by_name(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SAFER("MlpPolicy", Timed(), **options)


def test_groups_are_saved_and_loaded(tmp_path: Path) -> None:
    agent = small_agent("SAFER", n_particles=5, robust={"attack": "mr"}, eps=0.3)
    agent.save(tmp_path / "model")
    loaded = SAFER.load(tmp_path / "model", env=Timed())
    for name in SAFER.GROUPS:
        assert getattr(loaded, name) == getattr(agent, name), name
    assert loaded.adversary.attack == agent.adversary.attack
