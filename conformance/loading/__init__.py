"""Policies from elsewhere. A model file is untrusted input: see FORMATS for what is safe."""

from __future__ import annotations

from safer_gym.conformance.loading.callables import is_named, load_named
from safer_gym.conformance.loading.formats import FORMATS, Format
from safer_gym.conformance.loading.load import LoadedPolicy, algorithm_of, load_policy
from safer_gym.conformance.loading.refusals import UntrustedFile

__all__ = [
    "FORMATS",
    "Format",
    "LoadedPolicy",
    "UntrustedFile",
    "algorithm_of",
    "is_named",
    "load_named",
    "load_policy",
]
