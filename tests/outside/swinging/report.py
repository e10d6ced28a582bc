"""A form of the report: the verdict as one word."""

from __future__ import annotations

from safer_gym.conformance.report.certificate import register_form

register_form("word", "verdict.txt", lambda certificate: certificate["verdict"] + "\n")
