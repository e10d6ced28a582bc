"""The certificate as SARIF 2.1.0, for code scanning: a result for each requirement and flag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from safer_gym.conformance.certificate.view import Data, checked, notes_of, policy_name

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RULES = {
    "worst-case-cost-under-attacks": (
        "Worst-case cost under the attack battery",
        "The policy's episodic cost, under every attack of the battery, must meet its requirement "
        "with the stated confidence. A failure names the attack and the radius.",
    ),
    "worst-case-cost-for-every-adversary": (
        "Worst-case cost over every adversary",
        "The policy's episodic cost must meet its requirement whatever an adversary in the ball "
        "does. It is proved from episodes without an attack and a formal enclosure.",
    ),
    "worst-case-cost-given-a-model": (
        "Worst-case cost over every adversary, given a model",
        "The policy's episodic cost must meet its requirement whatever an adversary in the ball "
        "does, as far as the model of its shield holds. The model is tested, and not proved.",
    ),
    "evaluation-in-doubt": (
        "The evaluation may be wrong",
        "A sign that the attacks were weaker than they look, such as gradients that are zero or a "
        "critic that does not predict cost.",
    ),
}
RULE_OF_SCOPE = {
    "attacks": "worst-case-cost-under-attacks",
    "every": "worst-case-cost-for-every-adversary",
    "model": "worst-case-cost-given-a-model",
}
LEVELS = {"FAIL": "error", "INCONCLUSIVE": "warning"}


def render_sarif(certificate: Any) -> str:
    """One run as JSON text. A requirement that is met has the kind "pass" and no level.

    Raises:
        ValueError: it is no certificate.
    """
    data = checked(certificate)
    invocation = {"executionSuccessful": True, "endTimeUtc": _utc(data["created"])}
    if data["command"]:
        invocation["commandLine"] = data["command"]
    run = {
        "tool": {"driver": _driver(data)},
        "invocations": [invocation],
        "automationDetails": {"id": f"safer-gym/{data['environment']['id']}/"},
        "artifacts": [{"location": {"uri": _uri(data)}, "hashes": {"sha-256": _digest(data)}}],
        "results": [*_requirements(data), *_flags(data)],
        "columnKind": "unicodeCodePoints",
        "properties": {key: data[key] for key in ("verdict", "attacked_eps", "certified_eps")},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _driver(data: Data) -> dict[str, Any]:
    rules = [
        {
            "id": rule,
            "name": "".join(word.capitalize() for word in rule.split("-")),
            "shortDescription": {"text": short},
            "fullDescription": {"text": full},
            "help": {"text": full},
            "defaultConfiguration": {"level": "error"},
        }
        for rule, (short, full) in RULES.items()
    ]
    return {
        "name": "safer-gym",
        "semanticVersion": data["versions"].get("safer-gym", "0.0.0"),
        "rules": rules,
    }


def _requirements(data: Data) -> Iterator[dict[str, Any]]:
    for decision in data["requirements"]:
        rule, verdict = RULE_OF_SCOPE[decision["scope"]], decision["verdict"]
        result = _result(data, rule, f"{decision['text']}: {verdict}. {decision['why']}")
        result["partialFingerprints"] = {"requirement/v1": _fingerprint(data, decision["text"])}
        result["kind"] = "pass" if verdict == "PASS" else "fail"
        result["level"] = LEVELS.get(verdict, "none")
        result["properties"] = {
            **{key: decision[key] for key in ("eps", "mode", "scope", "confidence")},
            "norm": data["norm"],
            "replay": [
                {**{key: e[key] for key in ("attack", "seed", "cost")}, "command": e["replay"]}
                for e in notes_of(data, decision)
            ],
        }
        yield result


def _flags(data: Data) -> Iterator[dict[str, Any]]:
    for flag in data["flags"]:
        result = _result(data, "evaluation-in-doubt", f"{flag['name']}: {flag['message']}")
        result["partialFingerprints"] = {"flag/v1": _fingerprint(data, flag["name"])}
        yield {**result, "kind": "fail", "level": flag["level"]}


def _result(data: Data, rule: str, message: str) -> dict[str, Any]:
    return {
        "ruleId": rule,
        "ruleIndex": list(RULES).index(rule),
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(data), "index": 0},
                    "region": {"startLine": 1},
                }
            }
        ],
    }


def _uri(data: Data) -> str:
    """The policy's place, relative to the repository."""
    return quote(policy_name(data).replace("\\", "/"), safe="/")


def _digest(data: Data) -> str:
    return str(data["policy"]["digest"])


def _utc(created: str) -> str:
    moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fingerprint(data: Data, text: str) -> str:
    """Equal from run to run, so that an alert stays one alert."""
    words = f"{policy_name(data)}\n{data['environment']['id']}\n{text}"
    return hashlib.sha256(words.encode()).hexdigest()
