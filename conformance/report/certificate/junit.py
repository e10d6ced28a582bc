"""The certificate as JUnit XML: a test case for each requirement, red unless it passes."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as Xml

from safer_gym.conformance.certificate.view import Data, checked, notes_of, policy_name
from safer_gym.conformance.formatting import printable


def render_junit(certificate: Any) -> str:
    """One test suite. INCONCLUSIVE is a failure of its own type: a gate must not let it through.

    Raises:
        ValueError: it is no certificate.
    """
    data = checked(certificate)
    decisions = data["requirements"]
    failures = sum(d["verdict"] != "PASS" for d in decisions)
    suite = _element(
        "testsuite",
        name=f"safer-gym certify {policy_name(data)}",
        tests=len(decisions),
        failures=failures,
        errors=0,
        skipped=0,
        time=f"{data['seconds']:.3f}",
        timestamp=data["created"][:19],
        hostname="localhost",
    )
    _properties(suite, data)
    for decision in decisions:
        suite.append(_case(decision, data))
    _text(suite, "system-out", "\n".join(f"{f['level']}: {f['message']}" for f in data["flags"]))
    root = _element("testsuites", tests=len(decisions), failures=failures)
    root.append(suite)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, "unicode") + "\n"


def _properties(suite: Xml.Element, data: Data) -> None:
    parent = Xml.SubElement(suite, "properties")
    for name in ("verdict", "attacked_eps", "certified_eps", "norm", "delta", "seed", "battery"):
        parent.append(_element("property", name=name, value=data[name]))
    for name in ("policy", "environment"):
        parent.append(_element("property", name=f"{name}_digest", value=data[name]["digest"]))


def _case(decision: Data, data: Data) -> Xml.Element:
    case = _element(
        "testcase",
        classname=f"safer_gym.{data['environment']['id'].replace('.', '_')}",
        name=decision["text"],
        time="0",
    )
    if decision["verdict"] != "PASS":
        kind = {"FAIL": "violated", "INCONCLUSIVE": "inconclusive"}[decision["verdict"]]
        failure = _element("failure", type=kind, message=decision["why"])
        again = [
            f"cost {e['cost']:g} under {e['attack']}: {e['replay']}"
            for e in notes_of(data, decision)
        ]
        failure.text = printable("\n".join([decision["why"], *again]))
        case.append(failure)
    return case


def _element(tag: str, **attributes: Any) -> Xml.Element:
    return Xml.Element(tag, {key: printable(str(value)) for key, value in attributes.items()})


def _text(parent: Xml.Element, tag: str, text: str) -> None:
    if text:
        Xml.SubElement(parent, tag).text = printable(text)
