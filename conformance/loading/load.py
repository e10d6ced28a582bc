"""One door for policies from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from safer_gym.conformance.files import digest
from safer_gym.conformance.loading.callables import digest_of_module, is_named, load_named
from safer_gym.conformance.loading.formats import format_of, titles
from safer_gym.conformance.loading.refusals import UntrustedFile
from safer_gym.conformance.loading.sb3_algorithms import algorithm_named, read_data
from safer_gym.conformance.loading.sb3_format import SB3
from safer_gym.conformance.loading.zoo import packaged_path, packaged_policies


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


def load_policy(source: str | Path, *, trust: bool = False) -> LoadedPolicy:
    """A policy from a file, a packaged name ("ball-circle/cvpo"), or "module:function".

    A file is untrusted input. What can be read as data is read so, whatever `trust` says; what
    would have to be run is refused without it. FORMATS says which is which.

    Args:
        source: Where the policy is.
        trust: Allow code that the file carries to run.

    Raises:
        UntrustedFile: (a ValueError) the file needs `trust`.
        ValueError: a damaged file, or none of the formats.
        FileNotFoundError: no such file, and no packaged policy of that name.
        ModuleNotFoundError: a module or an optional dependency is missing.
    """
    name = str(source)
    if not Path(name).is_file():
        if name in packaged_policies():
            loaded = load_policy(packaged_path(name), trust=trust)
            return loaded._replace(source=name)
        if is_named(name):
            return LoadedPolicy(load_named(name), "callable", name, digest_of_module(name), True)
        raise FileNotFoundError(
            f"no file {name!r} and no packaged policy of that name; packaged are: "
            f"{', '.join(packaged_policies()) or 'none'}; the formats are: {titles()}"
        )
    path = Path(name)
    form = format_of(path)
    if form.needs_trust and not trust:
        raise UntrustedFile(name, f"{form.title}: {form.why}")
    opened = form.load(path, trust)
    return LoadedPolicy(opened.policy, form.name, name, digest(path), opened.ran_code)


def algorithm_of(path: Path) -> str | None:
    """The algorithm that wrote a saved model, as "module:Class"; None where none is told.

    Raises:
        ValueError: the file is damaged, or none of the formats.
    """
    return algorithm_named(read_data(path)) if format_of(path) is SB3 else None
