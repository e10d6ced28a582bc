"""Check a certificate against itself: its hash, and all that follows from what it records.

What cannot be checked in this way is whether the episodes happened; `replay` runs some again. The
facts that follow from nothing else, and so rest on the hash, are listed in docs/certificates.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from safer_gym.conformance.certificate.jsonable import shown
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.seal import UNSEALED
from safer_gym.conformance.certify.consistency import inconsistencies
from safer_gym.conformance.certify.derive import derived
from safer_gym.shield.function import NoFunctionError
from safer_gym.wrappers.shield.shield import Models

TOLERANCE = 1e-9
UNPROTECTED = (
    f"a certificate of {UNSEALED} carries no content hash: nothing shows that it was not changed"
)


def verify(
    certificate: Certificate, *, model: Models = None, trust: bool = False
) -> tuple[str, ...]:
    """What is wrong with a certificate, in words; empty where nothing is.

    Args:
        certificate: not trusted.
        model: the functions that a shield was fitted with: a certificate holds their names and some
            of their values, and no code.
        trust: import the functions that the shield names instead, which runs their modules.
    """
    why = UNPROTECTED if certificate.schema == UNSEALED else certificate.why_broken
    broken = (why,) if why else ()
    # Where the recorded parts contradict each other, nothing can be derived from them.
    again = partial(_underived, model=model, trust=trust)
    wrong = _said(inconsistencies, certificate) or _said(again, certificate)
    return (*broken, *wrong)


def _said(check: Callable[[Certificate], Iterator[str]], certificate: Certificate) -> list[str]:
    """What a check says; a certificate is untrusted, and may hold what no arithmetic is for."""
    found: list[str] = []
    try:
        with np.errstate(all="ignore"):
            found += check(certificate)
    except (NoFunctionError, ImportError) as error:
        found.append(f"it was not checked: {error}")
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        found.append(f"it contradicts itself: {error}")
    return found


def _underived(certificate: Certificate, *, model: Models, trust: bool) -> Iterator[str]:
    return _differences(certificate, derived(certificate, model=model, trust=trust), "")


def _differences(found: Any, made: Any, place: str) -> Iterator[str]:
    if is_dataclass(found) and type(found) is type(made):
        for field in fields(found):
            inner = f"{place}.{field.name}".lstrip(".")
            yield from _differences(getattr(found, field.name), getattr(made, field.name), inner)
    elif isinstance(found, tuple) and isinstance(made, tuple) and len(found) == len(made):
        for i, (a, b) in enumerate(zip(found, made, strict=True)):
            yield from _differences(a, b, f"{place}[{i}]")
    elif not _same(found, made, exact=place.startswith("allocation")):
        yield f"{place}: recorded {shown(found)}, but what follows is {shown(made)}"


def _same(found: Any, made: Any, *, exact: bool) -> bool:
    if isinstance(found, float) and isinstance(made, float) and not exact:
        return bool(np.isclose(found, made, rtol=TOLERANCE, atol=TOLERANCE))
    return bool(found == made)
