"""Model files: written whole or not at all, and read only by the algorithm that wrote them."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from typing_extensions import Self

from safer_gym.agents.finite import require_finite_weights

LAYOUT = 2
"""Of a saved agent's attributes. Agents of another layout cannot go on learning here."""

FilePath = str | Path | io.BufferedIOBase


class SafeFiles(BaseAlgorithm):
    """`save`, `save_replay_buffer` and `load` of Stable-Baselines3, made safe."""

    algorithm: str
    """Name of the class that wrote the file; stored with the model."""
    layout: int
    """LAYOUT of the version that wrote the file; stored with the model."""
    reads_normalised: bool
    """Whether it was trained behind a VecNormalize; stored with the model."""

    def save(
        self,
        path: FilePath,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """As in Stable-Baselines3.

        Raises:
            OSError: the file could not be written; an older one under that name is untouched.
            NotFiniteError: (a ValueError) a weight is not finite; the same.
        """
        require_finite_weights(self.policy.state_dict())
        self.algorithm, self.layout = type(self).__name__, LAYOUT
        normaliser = self.get_vec_normalize_env()
        self.reads_normalised = normaliser is not None and normaliser.norm_obs
        with replacing(path, "zip") as target:
            super().save(target, exclude, include)

    def save_replay_buffer(self, path: FilePath) -> None:
        """As in Stable-Baselines3. Raises OSError as `save` does."""
        with replacing(path, "pkl") as target:
            OffPolicyAlgorithm.save_replay_buffer(self, target)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: FilePath, *args: Any, **kwargs: Any) -> Self:
        """As in Stable-Baselines3.

        Raises:
            ValueError: the file is not a model, another algorithm's, or of another layout.
        """
        wrote = algorithm_of(path)
        own = [base.__name__ for base in cls.__mro__ if issubclass(base, SafeFiles)]
        if wrote is not None and wrote not in own:
            raise ValueError(
                f"{path} holds a {wrote} model; {cls.__name__}.load reads only {cls.__name__} "
                f"models. Use {wrote}.load."
            )
        layout = _read_data(path).get("layout", 1)
        if wrote is not None and layout != LAYOUT:
            raise ValueError(
                f"{path} was written by another version of safer-gym (layout {layout}; this one "
                f"reads layout {LAYOUT}): its training cannot go on here. Its policy can still be "
                "used: safer_gym.conformance.loading.load_policy(path), or safer-gym evaluate."
            )
        return super().load(path, *args, **kwargs)


def algorithm_of(path: FilePath) -> str | None:
    """Name of the algorithm whose model a file holds; None if the file does not tell.

    Models of Stable-Baselines3 itself are told by their policy and options.

    Raises:
        ValueError: the file is not a model.
        FileNotFoundError: there is no such file, with or without ".zip".
    """
    data = _read_data(path)
    if "algorithm" in data:
        return str(data["algorithm"])
    policy = data.get("policy_class", {})
    parts = str(policy.get("__module__", "") if isinstance(policy, dict) else "").split(".")
    if parts[0] not in ("stable_baselines3", "sb3_contrib"):
        return None
    if parts[1] != "common":
        return parts[1].upper()
    return "PPO" if "clip_range" in data else "A2C"


def _read_data(path: FilePath) -> dict[str, Any]:
    file = path
    if not isinstance(file, io.BufferedIOBase):
        file = Path(file)
        file = file if file.exists() or file.suffix else file.with_name(file.name + ".zip")
    try:
        with zipfile.ZipFile(file) as archive:
            return dict(json.loads(archive.read("data")))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a saved model, or a broken one: {error}.") from error
    finally:
        if isinstance(file, io.BufferedIOBase):
            file.seek(0)


@contextmanager
def replacing(path: FilePath, suffix: str) -> Iterator[io.BufferedIOBase]:
    """A temporary file, open, beside `path` that takes its place once the block has succeeded.

    Args:
        path: a stream is handed through as it is.
        suffix: added to a name that has none.

    Raises:
        OSError: nothing was changed under `path`.
    """
    if isinstance(path, io.BufferedIOBase):
        yield path
        return
    path = Path(path)
    path = path if path.suffix else path.with_name(f"{path.name}.{suffix}")
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        kept = "; the older file is untouched" if path.exists() else ""
        raise OSError(
            error.errno, f"could not write {path}: {error.strerror or error}{kept}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
