"""The statistics of a VecNormalize, read from its file as data, and found beside a saved model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from safer_gym.conformance.files import digest
from safer_gym.conformance.loading.as_data import Call, Name, read_pickle
from safer_gym.conformance.loading.sb3_file import Sb3File
from safer_gym.conformance.loading.spaces import space_of
from safer_gym.conformance.loading.values import array_of, number_of
from safer_gym.wrappers.policies.normaliser import Moments, Normaliser, frozen
from safer_gym.wrappers.policies.trained_behind import was_changed

MAX_BYTES = 256 * 1024**2
VEC_NORMALIZE = Name("stable_baselines3.common.vec_env.vec_normalize", "VecNormalize")
RUNNING = Name("stable_baselines3.common.running_mean_std", "RunningMeanStd")
WORD = "reads_normalised"
"""What this package's algorithms write into their files: whether they read normalised obs."""
NONE = "none"
"""The word for "trained without one"."""
HOW = (
    "give its file with --vec-normalize FILE (vec_normalize=... in Python), or say that the policy "
    "reads raw observations with --vec-normalize none (vec_normalize=False)"
)


def read_normaliser(path: Path) -> Normaliser | None:
    """What `VecNormalize.save` wrote; None where it did not normalise observations.

    Raises:
        ValueError: another file, a damaged one, or statistics that make no sense.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} holds more than {MAX_BYTES} bytes: it is no VecNormalize")
    try:
        found = read_pickle(path.read_bytes())
        if not isinstance(found, Call) or found.function != VEC_NORMALIZE:
            kind = found.function if isinstance(found, Call) else type(found).__name__
            raise ValueError(f"it holds a {kind}, not a VecNormalize")
        return _of_state(found.state)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no VecNormalize that can be read as data: {error}") from error


def as_normaliser(given: Any) -> Any:
    """`vec_normalize` as a user may say it: a path is read, "none" is False, the rest stays.

    Raises:
        ValueError, FileNotFoundError: see `read_normaliser`.
    """
    if given == NONE:
        return False
    if isinstance(given, (str, Path)):
        found = read_normaliser(Path(given))
        return False if found is None else found
    return given if given is None or given is False else (frozen(given) or False)


def normaliser_of_file(path: Path, file: Sb3File, given: Any) -> Normaliser | None:
    """The normaliser of a saved model: what was given, else what lies beside the file.

    Args:
        path: the model's file.
        file: what the model says of itself.
        given: see `as_normaliser`; None looks beside the file.

    Raises:
        ValueError: the model was trained behind a VecNormalize and there is none; a file beside
            one that was not.
    """
    if given is not None:
        return as_normaliser(given) or None
    beside, shows = found_beside(path), shows_normaliser(file)
    if beside is None and shows:
        raise ValueError(
            f"{path} was trained behind a VecNormalize, and its actions on raw observations mean "
            f"nothing: {HOW}"
        )
    if (
        beside is not None
        and not shows
        and _is_on_policy(file.data)
        and file.data.get("num_timesteps")
    ):
        raise ValueError(
            f"{beside} lies beside {path}, which was trained without a VecNormalize: {HOW}"
        )
    return None if beside is None else read_normaliser(beside)


def normaliser_digest(path: Path, given: Any = None) -> str:
    """SHA-256 of the VecNormalize file that belongs to a model's file; "" where there is none."""
    used = found_beside(path) if given is None else given
    return digest(Path(used)) if used and used != NONE else ""


def found_beside(path: Path) -> Path | None:
    """The VecNormalize of a saved model, where SB3's callbacks and the zoo's scripts put it."""
    stem, folder = path.stem, path.parent
    words = stem.rsplit("_", 2)
    names = [f"{stem}_vecnormalize.pkl", f"{stem}_vec_normalize.pkl"]
    if len(words) == 3 and words[2] == "steps":
        names.insert(0, f"{words[0]}_vecnormalize_{words[1]}_steps.pkl")
    names += [f"{stem}/vecnormalize.pkl", "vecnormalize.pkl", "vec_normalize.pkl"]
    found = [folder / name for name in names if (folder / name).is_file()]
    if stem == "best_model" and not found:  # rl-zoo's, beside the folder of the last model
        found = list(folder.glob("*/vecnormalize.pkl"))
        return found[0] if len(found) == 1 else None
    return found[0] if found else None


def shows_normaliser(file: Sb3File) -> bool:
    """Whether a saved model says that it was trained behind a VecNormalize.

    This package's algorithms say it in a word. On-policy algorithms keep `_last_original_obs` only
    then; of off-policy ones see `was_changed`.
    """
    data = file.data
    if WORD in data:
        return bool(data[WORD])
    if data.get("_last_original_obs") is None:
        return False
    return _is_on_policy(data) or _was_changed(file)


def _is_on_policy(data: Mapping[str, Any]) -> bool:
    return "learning_starts" not in data or "gae_lambda" in data


def _was_changed(file: Sb3File) -> bool:
    try:
        shown, raw = (array_of(file.value(key)) for key in ("_last_obs", "_last_original_obs"))
        return was_changed(shown, raw, space_of(file.value("observation_space")))
    except (AttributeError, ValueError):  # a Dict, or a file that says less
        return False


def _of_state(state: Mapping[str, Any]) -> Normaliser | None:
    if not state["norm_obs"]:
        return None
    rms = state["obs_rms"]
    moments = {k: _moments(v) for k, v in rms.items()} if isinstance(rms, dict) else _moments(rms)
    # Deployed, the statistics stand still, whatever they did when they were saved.
    return Normaliser(moments, number_of(state["epsilon"]), number_of(state["clip_obs"]))


def _moments(rms: Any) -> Moments:
    if not isinstance(rms, Call) or rms.function != RUNNING:
        raise ValueError(f"its statistics are {getattr(rms, 'function', type(rms).__name__)}")
    mean, var = (array_of(rms.state[name]).astype(np.float64) for name in ("mean", "var"))
    return Moments(mean, var)
