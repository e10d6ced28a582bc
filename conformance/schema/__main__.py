"""Write the published schema."""

from __future__ import annotations

from safer_gym.conformance.files import write_json
from safer_gym.conformance.schema.generate import certificate_schema, schema_path

write_json(schema_path(), certificate_schema())
