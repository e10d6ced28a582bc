"""The published schema of certificates, made from the dataclasses themselves.

`python -m safer_gym.conformance.certificate.schema` writes `certificate.json` anew.
"""

from safer_gym.conformance.certificate.schema.generate import certificate_schema, schema_path

__all__ = ["certificate_schema", "schema_path"]
