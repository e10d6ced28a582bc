"""The plugin: PASS is green, FAIL red, INCONCLUSIVE red unless asked; reports and properties."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from plugin_arguments import PLUGIN, arguments
from sample_certificates import sample

from safer_gym.conformance import pytest_gate as gate
from safer_gym.conformance.certificate.record import Certificate

ARGUMENTS = arguments()
MARKED = """
    import pytest

    @pytest.mark.safe_policy("{policy}", "Env-v0", "P(cost > 5) <= 0.1 at eps = 0.05"{more})
    def test_worst_case({uses}):
        {body}
"""


def certificate(verdict: str) -> Certificate:
    data = sample()
    data["verdict"] = verdict
    data["policy"]["source"] = verdict.lower()
    return Certificate.from_json(data)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was certified; a policy's name is its verdict."""
    questions: list[dict[str, Any]] = []

    def certified(policy: Any, env: Any, requirement: Any, **options: Any) -> Certificate:
        questions.append({"policy": policy, "env": env, "requirement": requirement, **options})
        return certificate(policy.upper())

    monkeypatch.setattr(gate, "certified", certified)
    return questions


def run(
    pytester: pytest.Pytester,
    policy: str,
    *options: str,
    body: str = "pass",
    uses: str = "",
    more: str = "",
) -> pytest.RunResult:
    pytester.makepyfile(MARKED.format(policy=policy, body=body, uses=uses, more=more))
    return pytester.runpytest_inprocess(*ARGUMENTS, *options)


def test_a_policy_that_passes_is_green(pytester: pytest.Pytester, asked: list) -> None:
    result = run(pytester, "pass")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*PASS: pass on SaferGym/BallCircle-v0, certified eps 0.005*"])
    (question,) = asked
    assert question["env"] == "Env-v0"
    assert question["folder"] == pytester.path
    assert question["trust"] is False
    assert question["budget"] is None
    assert ".pytest_cache" in str(question["cache"])


def test_a_policy_that_fails_is_red_and_says_why(pytester: pytest.Pytester, asked: list) -> None:
    result = run(pytester, "fail", body="raise RuntimeError('the body runs after the verdict')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*FAIL: fail on SaferGym/BallCircle-v0*",
            "*FAIL: P(cost > 5) <= 0.1 at eps = 0.01*",
            "*the bounds are*",
            "*warning: random search found more cost*",
            "*cost * under mc at eps = 0.05, seed *",
        ]
    )
    assert "the body runs" not in result.stdout.str()


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ("", {"failed": 1}),
        (', inconclusive="fail"', {"failed": 1}),
        (', inconclusive="skip"', {"skipped": 1}),
        (', inconclusive="pass"', {"failed": 1}),
    ],
)
def test_inconclusive_is_red_unless_it_may_be_skipped(
    more: str, outcome: dict[str, int], pytester: pytest.Pytester, asked: list
) -> None:
    result = run(pytester, "inconclusive", more=more)
    result.assert_outcomes(**outcome)
    if "pass" in more:
        assert "inconclusive must be one of" in result.stdout.str()


def test_the_body_may_ask_more(pytester: pytest.Pytester, asked: list) -> None:
    body = "assert certificate.certified_eps > 0.5"
    run(pytester, "pass", body=body, uses="certificate").assert_outcomes(failed=1)
    body = "assert certificate.verdict == 'PASS'"
    run(pytester, "pass", body=body, uses="certificate").assert_outcomes(passed=1)


def test_the_function_certifies_too_and_once(pytester: pytest.Pytester, asked: list) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_two(certify_policy):
            assert certify_policy("pass", "Env-v0", "text").verdict == "PASS"
            certify_policy("pass", "Env-v0", "text")
            with pytest.raises(pytest.fail.Exception, match="INCONCLUSIVE"):
                certify_policy("inconclusive", "Env-v0", "text", battery="quick")
            assert certify_policy("fail", "Env-v0", "t", inconclusive=None).verdict == "FAIL"
        """
    )
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=1)
    assert [question["policy"] for question in asked] == [
        "pass",
        "inconclusive",
        "fail",
    ]
    assert asked[1]["battery"] == "quick"


def test_options_reach_the_engine(pytester: pytest.Pytester, asked: list) -> None:
    options = ("--safe-policy-trust", "--safe-policy-budget=30s", "-p", "no:cacheprovider")
    run(pytester, "pass", *options).assert_outcomes(passed=1)
    assert (asked[0]["trust"], asked[0]["budget"], asked[0]["cache"]) == (True, "30s", None)


def test_a_certificate_without_a_marker_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(certificate):\n    pass\n")
    result = pytester.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(errors=1)
    assert "needs the marker" in result.stdout.str()


def test_tests_without_a_policy_are_left_alone(pytester: pytest.Pytester, asked: list) -> None:
    pytester.makepyfile("def test_other():\n    pass\n")
    result = pytester.runpytest_inprocess(*ARGUMENTS)
    result.assert_outcomes(passed=1)
    assert asked == []
    told = [line for line in result.outlines if not line.startswith("plugins:")]
    assert not any("safer-gym" in line for line in told)


def test_junit_and_reports_are_written(pytester: pytest.Pytester, asked: list) -> None:
    run(pytester, "fail", "--junit-xml=junit.xml", "--safe-policy-report=reports")
    (case,) = Xml.parse(pytester.path / "junit.xml").getroot().iter("testcase")
    found = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
    assert found["safer_gym_verdict"] == "FAIL"
    assert found["safer_gym_certified_eps"] == "0.005"
    assert case.find("failure") is not None
    (folder,) = (pytester.path / "reports").iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {"certificate.json", "certificate.html", "certificate.sarif", "badge.svg"} <= names
    saved = str(Path("reports") / folder.name / "certificate.json")
    assert Certificate.load(folder / "certificate.json") == certificate("FAIL").naming(saved)


def test_importing_the_plugin_is_cheap() -> None:
    """It is imported in every test session of everybody who has the package."""
    script = (
        f"import sys, {PLUGIN}; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'scipy', 'stable_baselines3')))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_paths_count_from_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safer_gym.conformance import pytest_gate as module
    from safer_gym.wrappers.tasks import Task

    seen: dict[str, Any] = {}

    def certify(policy: Any, env: Any, **options: Any) -> Certificate:
        seen.update(options, policy=policy, env=env)
        return certificate("PASS")

    monkeypatch.setattr(module, "certify", certify)
    (tmp_path / "safety.toml").write_text("")
    module.certified(
        "ball-circle/safer-attacked",
        "os.path:join",
        "safety.toml",
        folder=tmp_path,
        budget=None,
        seed=3,
    )
    assert seen["requirement"] == tmp_path / "safety.toml"
    assert (seen["source"], seen["seed"]) == ("ball-circle/safer-attacked", 3)
    assert "budget" not in seen
    assert seen["env"] == Task("os.path:join", "os.path:join")
    assert callable(seen["policy"].victim)
    policy = object()
    sentence = "P(cost > 5) <= 0.1 at eps = 0.05"
    module.certified(policy, "safer_gym:SaferGym/BallCircle-v0", sentence, folder=tmp_path)
    assert (seen["policy"], seen["requirement"]) == (policy, sentence)
    assert seen["env"].env_id == "safer_gym:SaferGym/BallCircle-v0"
