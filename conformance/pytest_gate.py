"""Certify what a test suite names by texts, and say the verdict in its own terms."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.requirement import Requirement
from safer_gym.conformance.certify.entry import certify
from safer_gym.conformance.extensions import load_extensions
from safer_gym.conformance.files import digest
from safer_gym.conformance.formatting import printable, radius
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.normaliser import found_beside
from safer_gym.conformance.report.certificate import write_reports
from safer_gym.conformance.report.certificate.sentences import attacks_run
from safer_gym.wrappers.named import is_named
from safer_gym.wrappers.tasks import find_task

TOLD = ("cost", "max_steps", "env_args")
"""Of an environment, beside its name."""
PLAIN = (type(None), bool, int, float, str, Requirement)
"""Types whose repr says all of a value, which never changes."""


def certified(
    policy: Any,
    env: Any,
    requirement: Any,
    *,
    folder: Path,
    trust: bool = False,
    vec_normalize: Any = None,
    **options: Any,
) -> Certificate:
    """A certificate of a policy and an environment that may be named by texts.

    Args:
        policy: a model, or what `load_policy` takes; a relative path counts from `folder` if the
            file is there.
        env: a function that makes the environment, or a name, see `find_task`; with a name,
            `options` may hold `cost`, `max_steps` and `env_args`.
        requirement: a Requirement, a sentence, or the path of a TOML file; paths as above.
        folder: of the test that asks.
        trust: see `load_policy`.
        vec_normalize: see `load_policy`; paths as above.
        options: of `certify`; those that are None are left to it.

    Raises:
        ValueError, TypeError: as `certify` and `load_policy`.
        ImportError: an installed extension is broken.
    """
    load_extensions()
    if isinstance(vec_normalize, (str, Path)):
        vec_normalize = _beside(folder, vec_normalize)
    given = {key: value for key, value in options.items() if value is not None}
    if isinstance(policy, (str, Path)):
        loaded = load_policy(_beside(folder, policy), trust=trust, vec_normalize=vec_normalize)
        given.setdefault("source", str(policy))
        policy = loaded.policy
    elif vec_normalize is not None:
        given["vec_normalize"] = vec_normalize
    if isinstance(env, str):
        env = find_task(env, **{key: given.pop(key) for key in TOLD if key in given})
    return certify(policy, env, requirement=_requirement(folder, requirement), **given)


def key_of(
    folder: Path, policy: Any, env: Any, requirement: Any, options: Mapping[str, Any]
) -> str | None:
    """Equal for equal questions, the files that they name included; None where nobody can tell.

    An object may have changed since it was asked about last, and so may the one that a policy's
    "module:attribute" names.
    """
    parts = [folder, policy, env, requirement, sorted(options.items(), key=lambda item: item[0])]
    if not _is_plain(parts):
        return None
    files = [path for text in _texts(parts) if os.path.isfile(path := _beside(folder, text))]
    if isinstance(policy, (str, Path)):
        model = Path(_beside(folder, policy))
        if not model.is_file() and is_named(str(policy)):
            return None
        files += [str(beside)] if (beside := found_beside(model)) else []
    return repr([*parts, [(path, digest(Path(path))) for path in files]])


def properties(certificate: Certificate) -> list[tuple[str, str]]:
    """Names and values for JUnit, and a line for the terminal."""
    found = {
        "verdict": certificate.verdict,
        "attacked_eps": radius(certificate.attacked_eps),
        "certified_eps": radius(certificate.certified_eps),
        "policy_digest": certificate.policy.digest,
        "environment_digest": certificate.environment.digest,
    }
    name = certificate.policy.source or certificate.policy.kind
    summary = (
        f"{found['verdict']}: {name} on {certificate.environment.id}, certified eps "
        f"{found['certified_eps']}, attacked eps {found['attacked_eps']}"
    )
    pairs = {**found, "summary": summary}
    return [(f"safer_gym_{key}", value) for key, value in pairs.items()]


def explained(certificate: Certificate) -> str:
    """Why a gate stays shut: each requirement, reasons for doubt, and episodes to run again."""
    name = certificate.policy.source or certificate.policy.kind
    lines = [f"{certificate.verdict}: {name} on {certificate.environment.id}"]
    lines.append(f"  {attacks_run(certificate.to_json())}")
    for decision in certificate.requirements:
        lines += [f"  {decision.verdict}: {decision.text}", f"    {decision.why}"]
    lines += [f"  {flag.level}: {flag.message}" for flag in certificate.flags]
    if certificate.verdict == "FAIL" and certificate.episodes_of_note:
        lines.append("  the costliest episodes:")
        lines += [
            f"    cost {e.cost:g} under {e.attack} at eps = {e.eps:g}, seed {e.seed}"
            for e in certificate.episodes_of_note
        ]
    return printable("\n".join(lines))


def write(certificate: Certificate, folder: Path, name: str) -> Path:
    """The certificate and its reports in a folder of their own under `folder`."""
    own = folder / re.sub(r"[^\w.-]+", "-", name).strip("-")
    named = certificate.naming(str(own / "certificate.json"))
    named.save(own / "certificate.json")
    write_reports(named.to_json(), own)
    return own


def _beside(folder: Path, source: str | Path) -> str:
    path = folder / source
    # Path.is_file raises where a long sentence is no name of a file.
    return str(path) if os.path.isfile(path) else str(source)


def _requirement(folder: Path, requirement: Any) -> Any:
    if isinstance(requirement, (str, Path)) and str(requirement).endswith(".toml"):
        return Path(_beside(folder, requirement))
    return requirement


def _is_plain(part: Any) -> bool:
    """Whether a value is text or data, and its repr all of it."""
    if type(part) in (list, tuple):
        return all(map(_is_plain, part))
    if type(part) is dict:
        return all(map(_is_plain, part.items()))
    return type(part) in PLAIN or isinstance(part, Path)


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, (str, Path)):
        yield str(part)
    elif isinstance(part, (list, tuple)):
        for one in part:
            yield from _texts(one)
    elif isinstance(part, dict):
        yield from _texts(list(part.items()))
