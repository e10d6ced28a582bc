"""JSON Schema (2020-12) of a frozen dataclass, from its type hints."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from safer_gym.conformance.certificate.jsonable import sparse_fields
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.seal import SCHEMA

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema_path() -> Path:
    """Where the published schema lies."""
    return Path(__file__).with_name("certificate.json")


def certificate_schema() -> dict[str, Any]:
    """The schema of `Certificate.to_json`."""
    definitions: dict[str, Any] = {}
    _define(Certificate, definitions)
    top = definitions.pop("Certificate")
    top["properties"]["schema"] = {"const": SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": "Certificate",
        **top,
        "$defs": definitions,
    }


def _define(cls: type, definitions: dict[str, Any]) -> dict[str, str]:
    if cls.__name__ not in definitions:
        definitions[cls.__name__] = {}
        hints = get_type_hints(cls)
        own: Any = fields(cls)
        definitions[cls.__name__] = {
            "description": (cls.__doc__ or "").split("\n")[0],
            "type": "object",
            "properties": {f.name: _schema(hints[f.name], definitions) for f in own},
            "required": [f.name for f in own if f.name not in sparse_fields(cls)],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(argument, definitions) for argument in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if is_dataclass(hint):
        return dict(_define(cast(type, hint), definitions))
    return {"type": _PLAIN[hint]} if hint in _PLAIN else {}
