"""Write the published schema."""

from __future__ import annotations

from safer_gym.conformance.certificate.schema.generate import certificate_schema, schema_path
from safer_gym.conformance.files import write_json

write_json(schema_path(), certificate_schema())
