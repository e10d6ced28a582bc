"""The marker holds for every kind of test, and no answer is given to another question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plugin_arguments import arguments
from sample_certificates import sample

from safer_gym.conformance import pytest_gate as gate
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.requirement import Requirement

ARGUMENTS = arguments()
HEAD = """
import unittest
import pytest

def marked(policy, **more):
    return pytest.mark.safe_policy(policy, "Env-v0", "text", **more)

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
KINDS = {
    "function": """
{markers}
def test_kind():
    {body}
""",
    "method": """
{markers}
class TestKind:
    def test_kind(self):
        {body}
""",
    "async": """
@pytest.mark.anyio
{markers}
async def test_kind():
    {body}
""",
    "unittest": """
class Kind(unittest.TestCase):
    {markers}
    def test_kind(self):
        {body}
""",
    "unittest class": """
{markers}
class Kind(unittest.TestCase):
    def test_kind(self):
        {body}
""",
    "async unittest": """
class Kind(unittest.IsolatedAsyncioTestCase):
    {markers}
    async def test_kind(self):
        {body}
""",
}
BODY = "open('ran', 'w').close()"


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The policies that were certified; a policy's text is its verdict."""
    policies: list[Any] = []

    def certified(policy: Any, env: Any, requirement: Any, **options: Any) -> Certificate:
        policies.append(policy)
        return Certificate.from_json({**sample(), "verdict": str(policy).upper()})

    monkeypatch.setattr(gate, "certified", certified)
    return policies


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    if "mark.anyio" in source:
        pytest.importorskip("anyio")
    pytester.makepyfile(HEAD + source)
    return pytester.runpytest_inprocess(*ARGUMENTS, *options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("policy", "more", "outcome"),
    [
        ("pass", "", {"passed": 1}),
        ("fail", "", {"failed": 1}),
        ("inconclusive", "", {"failed": 1}),
        ("inconclusive", ", inconclusive='skip'", {"skipped": 1}),
    ],
)
def test_the_verdict_is_asked_of_every_kind_of_test_before_its_body(
    kind: str, policy: str, more: str, outcome: dict[str, int], pytester: pytest.Pytester
) -> None:
    source = KINDS[kind].format(markers=f"@marked('{policy}'{more})", body=BODY)
    run(pytester, source).assert_outcomes(**outcome)
    assert (pytester.path / "ran").exists() == ("passed" in outcome)


@pytest.mark.parametrize("kind", ["function", "method", "async", "unittest"])
@pytest.mark.parametrize(("near", "far"), [("pass", "fail"), ("fail", "pass")])
def test_all_markers_of_a_test_must_hold(
    kind: str, near: str, far: str, pytester: pytest.Pytester, asked: list[Any]
) -> None:
    indent = "    " if kind == "unittest" else ""
    markers = f"@marked('{far}')\n{indent}@marked('{near}')"
    source = KINDS[kind].format(markers=markers, body=BODY)
    run(pytester, source, "--safe-policy-report=reports").assert_outcomes(failed=1)
    assert asked == [near, far]
    assert not (pytester.path / "ran").exists()
    reports = (pytester.path / "reports").glob("*/certificate.json")
    verdicts = {Certificate.load(path).verdict for path in reports}
    assert verdicts == {"PASS", "FAIL"}


def test_markers_of_module_class_and_function_must_hold(pytester: pytest.Pytester) -> None:
    source = """
pytestmark = marked("fail")

@marked("pass")
class TestKind:
    @marked("pass")
    def test_kind(self, certificate):
        pass
"""
    run(pytester, source).assert_outcomes(failed=1)


def test_the_fixture_is_the_certificate_of_the_nearest_marker(pytester: pytest.Pytester) -> None:
    source = """
@marked("inconclusive", inconclusive="skip")
class TestKind:
    @marked("pass")
    def test_kind(self, certificate, seen):
        pass

@pytest.fixture
def seen(certificate):
    assert certificate.verdict == "PASS"
"""
    run(pytester, source).assert_outcomes(skipped=1)


def test_a_fixture_of_the_same_name_replaces_no_verdict(pytester: pytest.Pytester) -> None:
    source = """
@pytest.fixture
def certificate():
    return type("Forged", (), {"verdict": "PASS"})()

@marked("fail")
def test_kind(certificate):
    pass
"""
    run(pytester, source).assert_outcomes(failed=1)


def test_a_test_that_is_no_function_is_gated(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        class Item(pytest.Item):
            def runtest(self):
                pass

        class File(pytest.File):
            def collect(self):
                for policy in ("pass", "fail"):
                    item = Item.from_parent(self, name=policy)
                    item.add_marker(pytest.mark.safe_policy(policy, "Env-v0", "text"))
                    yield item

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".own":
                return File.from_parent(parent, path=file_path)
        """
    )
    (pytester.path / "a.own").touch()
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("place", ["a fixture", "the body"])
def test_a_marker_that_is_added_late_must_hold(place: str, pytester: pytest.Pytester) -> None:
    add = "request.node.add_marker(marked('fail'))"
    source = f"""
@pytest.fixture
def late(request):
    {add if place == "a fixture" else "pass"}

def test_kind(late, request):
    {add if place == "the body" else "pass"}
"""
    run(pytester, source).assert_outcomes(failed=1)


def test_a_marker_of_one_parameter_asks_nothing_of_the_others(pytester: pytest.Pytester) -> None:
    source = """
@pytest.mark.parametrize("n", [1, pytest.param(2, marks=marked("fail")), 3])
def test_kind(n):
    pass
"""
    run(pytester, source).assert_outcomes(passed=2, failed=1)


def test_an_object_that_changed_is_certified_again(pytester: pytest.Pytester) -> None:
    source = """
class Policy:
    verdict = "pass"

    def __repr__(self):
        return "policy"

    def __str__(self):
        return self.verdict

def test_kind(certify_policy):
    policy = Policy()
    certify_policy(policy, "Env-v0", "text")
    policy.verdict = "fail"
    certify_policy(policy, "Env-v0", "text")
"""
    run(pytester, source).assert_outcomes(failed=1)


def key(tmp_path: Path, policy: Any = "model.zip", env: Any = "Env-v0", **options: Any) -> Any:
    requirement = options.pop("requirement", "P(cost > 5) <= 0.1 at eps = 0.05" + " " * 300)
    return gate.key_of(tmp_path, policy, env, requirement, options)


def test_equal_questions_of_texts_and_data_have_equal_keys(tmp_path: Path) -> None:
    question: dict[str, Any] = {"env_args": {"wall": [1, 2.0, None]}, "eps": (0.1, True)}
    assert key(tmp_path, **question) == key(tmp_path, **question) is not None
    wanted = {"requirement": [Requirement(5.0, eps=0.1), tmp_path / "r.toml"]}
    assert key(tmp_path, **wanted) == key(tmp_path, **wanted) is not None
    others = [{}, {"trust": True}, {"eps": (0.1, 1)}, {"env_args": {"wall": [1, 2, None]}}]
    assert len({key(tmp_path, **{**question, **other}) for other in others}) == len(others)


@pytest.mark.parametrize(
    "live",
    [
        {"policy": object()},
        {"env": object},
        {"policy": "os.path:join"},
        {"policy": Path("os.path:join")},
        {"battery": {"mine": object()}},
        {"env_args": {"wall": object()}},
        {"vec_normalize": object()},
    ],
    ids=["policy", "env", "named policy", "named path", "battery", "env_args", "vec_normalize"],
)
def test_a_question_with_a_live_object_has_no_key(live: dict[str, Any], tmp_path: Path) -> None:
    assert key(tmp_path, **live) is None


@pytest.mark.parametrize(
    ("name", "asked_with"),
    [
        ("model.zip", {}),
        ("vecnormalize.pkl", {}),
        ("own.pkl", {"vec_normalize": "own.pkl"}),
        ("r.toml", {"requirement": Path("r.toml")}),
        ("r.toml", {"requirement": ["r.toml"]}),
        ("map.txt", {"env_args": {"map": "map.txt"}}),
    ],
)
def test_a_file_that_is_written_anew_makes_another_key(
    name: str, asked_with: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "model.zip").write_bytes(b"model")
    (tmp_path / name).write_bytes(b"before")
    before = key(tmp_path, **asked_with)
    assert before == key(tmp_path, **asked_with) is not None
    (tmp_path / name).write_bytes(b"after")
    assert key(tmp_path, **asked_with) != before


def test_a_model_that_is_written_anew_is_certified_again(
    pytester: pytest.Pytester, asked: list[Any]
) -> None:
    source = """
from pathlib import Path

def test_kind(certify_policy):
    file = Path(__file__).with_name("pass")
    for content in ("one", "one", "two"):
        file.write_text(content)
        certify_policy("pass", "Env-v0", "text")
"""
    run(pytester, source).assert_outcomes(passed=1)
    assert len(asked) == 2
