"""One door for policies from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from stable_baselines3.common.base_class import BaseAlgorithm

from safer_gym.conformance.files import digest
from safer_gym.conformance.loading.formats import format_of, titles
from safer_gym.conformance.loading.normaliser import as_normaliser
from safer_gym.conformance.loading.refusals import UntrustedFile
from safer_gym.conformance.loading.trial import act_once, tried
from safer_gym.conformance.loading.zoo import packaged_path, packaged_policies
from safer_gym.domains import FLAG, require
from safer_gym.types import Victim
from safer_gym.wrappers.named import digest_of_module, is_named, load_named
from safer_gym.wrappers.policies.view import PolicyView, view_of


class LoadedPolicy(NamedTuple):
    """A policy, and what a certificate says of where it came from."""

    policy: Any
    """For `as_victim`: a model, a module, an object with `predict`, or a callable."""
    kind: str
    """Its format, a key of FORMATS; "callable" for module:function."""
    source: str
    digest: str
    """SHA-256 of the file."""
    ran_code: bool
    """Whether code that the file carries may have run."""

    def policy_view(self) -> PolicyView:
        """The policy as every door takes it, so that what was loaded can be passed on as it is."""
        return view_of(self.policy)

    def victim(self) -> Victim:
        """What attacks may use."""
        return self.policy_view().victim()


def source_of(policy: Any) -> str | None:
    """Where what a door was given as a policy came from; None where that is not told."""
    if isinstance(policy, LoadedPolicy):
        return policy.source
    return str(policy) if isinstance(policy, (str, Path)) else None


def as_policy(policy: Any, vec_normalize: Any = None) -> tuple[Any, Any]:
    """What a door was given as a policy and its normaliser; a name is loaded, without trust."""
    if isinstance(policy, (str, Path)):
        policy, vec_normalize = load_policy(policy, vec_normalize=vec_normalize), None
    if isinstance(policy, LoadedPolicy):
        policy = policy.policy
    return policy, as_normaliser(vec_normalize)


def load_policy(
    source: str | Path, *, trust: bool = False, vec_normalize: Any = None
) -> LoadedPolicy:
    """A policy from a file, a packaged name ("ball-circle/cvpo"), or "module:function".

    A file is untrusted input. What can be read as data is read so, whatever `trust` says; what
    would have to be run is refused without it. FORMATS says which is which. Without `trust`, a file
    is first opened in a process with limits, see `trial`.

    Args:
        source: Where the policy is.
        trust: Allow code that the file carries to run.
        vec_normalize: The VecNormalize that the policy was trained behind: its file, which is read
            as data, or the object. None takes the file that lies beside a saved model; False, or
            "none", takes none. With one, the policy is a `PolicyView` that reads raw observations.

    Raises:
        UntrustedFile: (a ValueError) the file needs `trust`.
        ValueError: a damaged file, or none of the formats; a model that was trained behind a
            VecNormalize which is not there.
        FileNotFoundError: no such file, and no packaged policy of that name.
        ModuleNotFoundError: a module or an optional dependency is missing.
    """
    require(FLAG, trust=trust)
    name = str(source)
    if not Path(name).is_file():
        if name in packaged_policies():
            loaded = _load_file(packaged_path(name), trust, vec_normalize)
            return loaded._replace(source=name)
        if is_named(name):
            policy = _seen_through(load_named(name), as_normaliser(vec_normalize))
            return LoadedPolicy(policy, "callable", name, digest_of_module(name), True)
        raise no_such_policy(name)
    path = Path(name)
    if not trust:
        tried(lambda: act_once(_load_file(path, trust, vec_normalize).policy), name)
    return _load_file(path, trust, vec_normalize)._replace(source=name)


def _load_file(path: Path, trust: bool, vec_normalize: Any) -> LoadedPolicy:
    form = format_of(path)
    if held := form.no_policy(path):
        raise ValueError(f"{path} holds {held}")
    if form.needs_trust and not trust:
        raise UntrustedFile(str(path), f"{form.title}: {form.why}")
    normaliser = form.normaliser(path, vec_normalize)
    opened = form.load(path, trust)
    policy = _seen_through(opened.policy, normaliser)
    return LoadedPolicy(policy, form.name, str(path), digest(path), opened.ran_code)


def no_such_policy(name: str) -> FileNotFoundError:
    """The refusal of a name that is none."""
    return FileNotFoundError(
        f"no file {name!r} and no packaged policy of that name; packaged are: "
        f"{', '.join(packaged_policies()) or 'none'}; the formats are: {titles()}"
    )


def _seen_through(policy: Any, normaliser: Any) -> Any:
    """A model that could show how it was trained is told here, once, that it reads raw ones."""
    if normaliser or isinstance(policy, BaseAlgorithm):
        return view_of(policy, normaliser or False)
    return policy


def algorithm_of(path: Path) -> str | None:
    """The algorithm that wrote a saved model, as "module:Class"; None where none is told.

    Raises:
        ValueError: the file is damaged, or none of the formats.
    """
    return format_of(path).algorithm(path)
