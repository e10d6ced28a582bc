"""A certificate for people and for machines: page, Markdown, badge, JUnit, SARIF.

Everything here takes the certificate's JSON dict and nothing else.
"""

from __future__ import annotations

from safer_gym.conformance.report.certificate.render import FORMS, Form, render, write_reports

__all__ = ["FORMS", "Form", "render", "write_reports"]
