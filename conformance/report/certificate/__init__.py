"""A certificate for people and for machines: page, Markdown, badge, JUnit, SARIF.

Everything here takes the certificate's JSON dict and nothing else. `register_form` adds a form.
"""

from __future__ import annotations

from safer_gym.conformance.report.certificate.forms import (
    FORMS,
    Form,
    register_form,
    render,
    write_reports,
)

__all__ = ["FORMS", "Form", "register_form", "render", "write_reports"]
