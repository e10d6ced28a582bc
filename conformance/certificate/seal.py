"""The schema of certificates, and a hash over all that one holds.

The hash shows that nothing changed since it was computed. Whoever changes a certificate can
compute the hash again: only a signature (see `signature`) shows who made it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SCHEMA = "safer-gym/certificate/2"
UNSEALED = "safer-gym/certificate/1"
"""The schema before; its certificates carry no content hash and can still be read."""
SCHEMAS = (SCHEMA, UNSEALED)

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
