"""Policies from elsewhere. A model file is untrusted input: see FORMATS for what is safe."""

from __future__ import annotations

# The first format to be registered is the first to be tried.
from safer_gym.conformance.loading.sb3_format import SB3

# isort: split
from safer_gym.conformance.loading.formats import FORMATS, Format, Opened, register_format
from safer_gym.conformance.loading.load import (
    LoadedPolicy,
    algorithm_of,
    as_policy,
    load_policy,
    no_such_policy,
    source_of,
)
from safer_gym.conformance.loading.onnx_policy import ONNX
from safer_gym.conformance.loading.programs import EXPORTED, PICKLE, TORCHSCRIPT
from safer_gym.conformance.loading.refusals import UntrustedFile
from safer_gym.conformance.loading.skill_format import SKILL
from safer_gym.conformance.loading.zoo import load_prior
from safer_gym.wrappers.named import is_named, load_named

__all__ = [
    "EXPORTED",
    "FORMATS",
    "ONNX",
    "PICKLE",
    "SB3",
    "SKILL",
    "TORCHSCRIPT",
    "Format",
    "LoadedPolicy",
    "Opened",
    "UntrustedFile",
    "algorithm_of",
    "as_policy",
    "is_named",
    "load_named",
    "load_policy",
    "load_prior",
    "no_such_policy",
    "register_format",
    "source_of",
]
