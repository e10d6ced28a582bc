"""The rules of SARIF 2.1.0 that our logs could break, section by section of the standard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

KINDS = {"notApplicable", "pass", "fail", "review", "open", "informational"}
LEVELS = {"none", "note", "warning", "error"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
UNKNOWN_TO_RUN = "a key that a run has not"
RUN_KEYS = {"tool", "invocations", "automationDetails", "artifacts", "results", "columnKind"}


def broken_rules(log: dict[str, Any]) -> list[str]:
    """What is wrong with a log; empty if nothing."""
    return list(_log(log))


def _log(log: dict[str, Any]) -> Iterator[str]:
    if log.get("version") != "2.1.0":
        yield "3.13.2: the version is 2.1.0"
    if not isinstance(log.get("runs"), list):
        yield "3.13.4: runs is an array"
        return
    for run in log["runs"]:
        if set(run) - RUN_KEYS - {"properties"}:
            yield UNKNOWN_TO_RUN
        yield from _tool(run)
        yield from _invocations(run)
        for artifact in run.get("artifacts", []):
            yield from _address(artifact["location"])
        for result in run["results"]:
            yield from _result(result, run)


def _tool(run: dict[str, Any]) -> Iterator[str]:
    driver = run["tool"]["driver"]
    if not driver.get("name"):
        yield "3.19.8: a tool has a name"
    ids = [rule["id"] for rule in driver["rules"]]
    if len(set(ids)) != len(ids):
        yield "3.19.23: rules are distinct"
    for rule in driver["rules"]:
        if rule["defaultConfiguration"]["level"] not in LEVELS:
            yield "3.50.3: a level"
        for text in ("shortDescription", "fullDescription", "help"):
            if not rule[text].get("text"):
                yield f"3.12.3: {text} has a text"


def _invocations(run: dict[str, Any]) -> Iterator[str]:
    for invocation in run.get("invocations", []):
        if not isinstance(invocation.get("executionSuccessful"), bool):
            yield "3.20.14: executionSuccessful"
        if not TIME.fullmatch(invocation["endTimeUtc"]):
            yield "3.9: times are UTC and end with Z"


def _result(result: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    rules = run["tool"]["driver"]["rules"]
    if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
        yield "3.27.6: ruleIndex and ruleId name one rule"
    kind, level = result.get("kind", "fail"), result.get("level", "warning")
    if kind not in KINDS:
        yield "3.27.9: a kind"
    if level not in LEVELS:
        yield "3.27.10: a level"
    if kind != "fail" and level != "none":
        yield "3.27.10: only a failure has a level"
    if not result["message"].get("text"):
        yield "3.11.3: a message has a text"
    for location in result["locations"]:
        place = location["physicalLocation"]
        yield from _address(place["artifactLocation"])
        if place["artifactLocation"].get("index", -1) >= len(run.get("artifacts", [])):
            yield "3.4.5: the index is of an artifact"
        if place.get("region", {}).get("startLine", 1) < 1:
            yield "3.30.5: lines are counted from 1"
    for key, value in result.get("partialFingerprints", {}).items():
        if not re.fullmatch(r"[\w.]+/v\d+", key) or not isinstance(value, str):
            yield "3.27.18: fingerprints have versions"


def _address(location: dict[str, Any]) -> Iterator[str]:
    if not ADDRESS.fullmatch(location["uri"]) or re.search(r"%(?![0-9A-Fa-f]{2})", location["uri"]):
        yield "3.10.1: an address is one of RFC 3986"
