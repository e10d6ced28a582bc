"""A hash over all that a certificate holds.

It shows that nothing changed since the hash was computed. Whoever changes a certificate can compute
the hash again: only a signature (see `signature`) shows who made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

OUTSIDE = ("content_hash", "signature")
"""The keys that the hash does not cover."""


def content_hash(data: Mapping[str, Any]) -> str:
    """SHA-256 of a certificate's JSON in canonical form, in hexadecimal digits.

    Canonical: without the keys of OUTSIDE, keys sorted, no spaces, ASCII with \\u escapes, the
    shortest decimals that give each float back.

    Raises:
        ValueError: a number that is not finite.
    """
    kept = {key: value for key, value in data.items() if key not in OUTSIDE}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
