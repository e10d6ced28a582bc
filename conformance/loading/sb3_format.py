"""Stable-Baselines3's zip: read as data, or unpickled where the file is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safer_gym.conformance.loading.formats import Format, Opened, inside, register_format
from safer_gym.conformance.loading.normaliser import normaliser_of_file
from safer_gym.conformance.loading.refusals import MaskedPolicy, UntrustedFile
from safer_gym.conformance.loading.sb3_algorithms import algorithm_named, read_data
from safer_gym.conformance.loading.sb3_file import Sb3File, read_sb3_file
from safer_gym.conformance.loading.sb3_policies import build_policy, refuse_masked
from safer_gym.conformance.loading.sb3_unpickled import unpickle_model


def load_sb3(path: Path, trust: bool) -> Opened:
    """The policy as data, whatever `trust` says; only what is no data is unpickled with it.

    Raises:
        UntrustedFile: (a ValueError) the file can only be unpickled, and is not trusted.
        ValueError: a damaged file.
    """
    file = read_sb3_file(path)
    try:
        refuse_masked(file, path)
        return Opened(build_policy(file), ran_code=False)
    except MaskedPolicy:
        raise
    except (ValueError, RecursionError) as error:
        if not trust:
            raise UntrustedFile(str(path), str(error)) from error
    return Opened(unpickle_model(path), ran_code=True)


def _normaliser(path: Path, given: Any) -> Any:
    return normaliser_of_file(path, Sb3File(read_data(path), {}), given)


def _algorithm(path: Path) -> str | None:
    return algorithm_named(read_data(path))


SB3 = register_format(
    Format(
        "sb3",
        "Stable-Baselines3 zip",
        False,
        "options and weights are read as data and the network is built again; a file with "
        "classes of its own can only be unpickled, and then needs trust",
        lambda path: {"data", "policy.pth"} <= inside(path),
        load_sb3,
        normaliser=_normaliser,
        algorithm=_algorithm,
    )
)
