"""What a pickle holds where it holds no policy: told from its data, before anybody is asked to
trust it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from safer_gym.conformance.loading.archives import entry, opened
from safer_gym.conformance.loading.as_data import Call, Name, read_pickle, walk
from safer_gym.conformance.loading.formats import head
from safer_gym.conformance.loading.legacy_torch import MARK, read_legacy
from safer_gym.conformance.loading.tensors import PARAMETER, TENSOR
from safer_gym.conformance.loading.weights import ORDERED_DICT, folder_of

MAX_BYTES = 256 * 1024**2
HOW = (
    "save the whole module, export it to TorchScript or ONNX, or name a function that makes the "
    "policy with module:function"
)
KINDS = {
    Name("stable_baselines3.common.vec_env.vec_normalize", "VecNormalize"): (
        "the statistics of a VecNormalize and no policy: give the model's file, and this one with "
        "--vec-normalize FILE (vec_normalize=... in Python)"
    ),
    Name("stable_baselines3.common.running_mean_std", "RunningMeanStd"): (
        "running statistics and no policy"
    ),
}
TENSORS = (TENSOR, PARAMETER)
ARRAYS = ("_reconstruct", "_frombuffer", "scalar")
SHOWN = 4


def no_policy(path: Path) -> str | None:
    """What the pickle in a file holds, if that is no policy; None where it may be one.

    Nothing of the file is run. A pickle that cannot be read as data may be a policy.
    """
    try:
        return _described(_content(path))
    except ValueError:
        return None


def not_a_policy(found: Any) -> str | None:
    """The same for an object that has been unpickled."""
    acts = callable(found) or any(callable(getattr(found, n, None)) for n in ("predict", "victim"))
    return None if acts else f"a value of type {type(found).__name__} and no policy"


def _content(path: Path) -> Any:
    if zipfile.is_zipfile(path):
        with opened(path, str(path)) as archive:
            folder = folder_of(archive, str(path))
            return read_pickle(entry(archive, f"{folder}/data.pkl", str(path)))
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("too large to look at")
    data = path.read_bytes()
    return read_legacy(data)[0] if head(path, len(MARK)) == MARK else read_pickle(data)


def _described(found: Any) -> str | None:
    if isinstance(found, Call) and found.function in KINDS:
        return KINDS[found.function]
    is_dict = isinstance(found, dict) or (
        isinstance(found, Call) and found.function == ORDERED_DICT
    )
    if isinstance(found, Call) and not is_dict:
        if found.function in TENSORS:
            return f"a tensor without a network; {HOW}"
        is_array = found.function.module.startswith("numpy") and found.function.name in ARRAYS
        return "an array of numpy and no policy" if is_array else None
    if is_dict:
        items = found.items if isinstance(found, Call) else found
        keys = ", ".join(repr(key) for key in list(items)[:SHOWN])
        more = ", ..." if len(items) > SHOWN else ""
        has_weights = any(isinstance(p, Call) and p.function in TENSORS for p in walk(found))
        what = "weights without their network" if has_weights else "a dict and no policy"
        return f"{what} (keys: {keys}{more}); {HOW}"
    if isinstance(found, Name):
        return None  # a class or a function, which may act
    return f"a value of type {type(found).__name__} and no policy"
