"""A skill policy and its prior in one zip: read as data, and the network built again."""

from __future__ import annotations

from pathlib import Path

from safer_gym.conformance.loading.archives import entry, opened
from safer_gym.conformance.loading.formats import Format, Opened, inside, register_format
from safer_gym.conformance.loading.weights import read_weights
from safer_gym.conformance.untrusted import parse_json

ABOUT, WEIGHTS = "skill.json", "weights.pth"


def load_skill(path: Path) -> Opened:
    """The network.

    Raises:
        ValueError: a damaged file.
    """
    from safer_gym.agents.skills.network import SkillNetwork

    what = str(path)
    with opened(path, what) as archive:
        about = parse_json(entry(archive, ABOUT, what), what)
        weights = read_weights(entry(archive, WEIGHTS, what), what)
    try:
        return Opened(SkillNetwork.built(about, weights), ran_code=False)
    except ValueError as error:
        raise ValueError(f"{what} holds {error}") from error


SKILL = register_format(
    Format(
        "skill",
        "skill policy of safer-gym",
        False,
        "sizes and weights are read as data and the network is built again",
        lambda path: {ABOUT, WEIGHTS} <= inside(path),
        lambda path, trust: load_skill(path),
    )
)
