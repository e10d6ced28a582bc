"""A pytest plugin: a test that fails unless a policy's worst-case cost meets its requirement.

@pytest.mark.safe_policy(
    policy="model.zip", env="SaferGym/BallCircle-v0", requirement="requirements.toml"
)
def test_the_policy_is_safe_under_attack(certificate):
    assert certificate.certified_eps >= 0.002

The marker certifies before the test's body runs; the body may ask more of the certificate, or be
empty. All markers of a test must hold, whatever kind of test it is. The fixture `certify_policy`
does the same as a function. A policy's file is read as data: see `safer_gym.conformance.loading`.
Verdicts, radii and digests go into JUnit as properties.

This module is imported by every pytest that runs where safer-gym is installed. So it imports
nothing heavy before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from safer_gym.conformance.certificate.record import Certificate

MARKER = "safe_policy"
PROPERTY = "safer_gym"
INCONCLUSIVE = ("fail", "skip")
CERTIFICATES: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
GATES: pytest.StashKey[dict[int, Any]] = pytest.StashKey()
"""Certificates of a test, by the identity of their markers."""
USAGE = (
    "safe_policy(policy, env, requirement, inconclusive='fail', trust=False, **options): fail "
    "unless the policy's worst-case cost meets the requirement; options are those of "
    "safer_gym.conformance.certify.entry.certify"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line's options."""
    group = parser.getgroup("safer-gym", "worst-case cost of policies")
    group.addoption(
        "--safe-policy-report",
        metavar="FOLDER",
        help="write each certificate and its reports (HTML, Markdown, badge, JUnit, SARIF) here",
    )
    group.addoption(
        "--safe-policy-budget", metavar="TIME", help="time for each certificate, such as 120s"
    )
    group.addoption(
        "--safe-policy-trust",
        action="store_true",
        help="load model files that can only be loaded by running code that they carry",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known and the session's certificates empty."""
    config.addinivalue_line("markers", USAGE)
    config.stash[CERTIFICATES] = {}


def pytest_itemcollected(item: Any) -> None:
    """A marked test uses the certificate whether or not it names it."""
    names = getattr(item, "fixturenames", ["certificate"])
    if item.get_closest_marker(MARKER) is not None and "certificate" not in names:
        # The tests of one function share the list, and some of them may have no marker.
        item.fixturenames = [*names, "certificate"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that runs again is certified again."""
    item.stash[GATES] = {}


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """The verdicts, before the body runs: a failure of the test, not of its setup.

    Tests of every kind come by here. `pytest_pyfunc_call` is never asked of a unittest, and a
    plugin of async tests may answer it before this one.
    """
    _require_all(item)
    result = yield
    _require_all(item)  # the body may have added a marker
    return result


@pytest.fixture
def certificate(request: pytest.FixtureRequest) -> Certificate:
    """The certificate of the test's `safe_policy` marker; of several, of the nearest."""
    gates = _gates(request.node)
    if not gates:
        raise pytest.UsageError(f"the fixture `certificate` needs the marker {USAGE}")
    return gates[0][1]  # the verdict is the test's own: see pytest_runtest_call


@pytest.fixture
def certify_policy(request: pytest.FixtureRequest) -> Callable[..., Certificate]:
    """A function: certify_policy(policy, env, requirement, inconclusive="fail", **options).

    It returns the certificate, and fails the test unless the verdict is PASS. What it was asked
    once, with the same texts and files, it does not compute again in the session.
    """

    def certify_policy(
        policy: Any,
        env: Any,
        requirement: Any,
        *,
        inconclusive: str | None = "fail",
        **options: Any,
    ) -> Certificate:
        found = _certified(request.node, policy, env, requirement, **options)
        if inconclusive is not None:
            _require(found, inconclusive)
        return found

    return certify_policy


def _require_all(item: pytest.Item) -> None:
    __tracebackhide__ = True
    for marker, found in _gates(item):
        _require(found, marker.kwargs.get("inconclusive", "fail"))


def _gates(item: pytest.Item) -> list[tuple[pytest.Mark, Certificate]]:
    """All markers of a test and their certificates, the nearest marker first."""
    known, markers = item.stash[GATES], list(item.iter_markers(MARKER))
    for marker in markers:
        if id(marker) not in known:
            options = {key: value for key, value in marker.kwargs.items() if key != "inconclusive"}
            known[id(marker)] = _certified(item, *marker.args, **options)
    return [(marker, known[id(marker)]) for marker in markers]


def _certified(
    item: pytest.Item,
    policy: Any,
    env: Any,
    requirement: Any,
    *,
    trust: bool = False,
    **options: Any,
) -> Certificate:
    """A certificate that a test asks for, whatever its verdict, in the test's reports, too."""
    from safer_gym.conformance import pytest_gate

    config, folder = item.config, Path(item.path).parent
    options.setdefault("budget", config.getoption("--safe-policy-budget"))
    options.setdefault("cache", _cache_of(config))
    options["trust"] = trust or bool(config.getoption("--safe-policy-trust"))
    known = config.stash[CERTIFICATES]
    key = pytest_gate.key_of(folder, policy, env, requirement, options)
    found = None if key is None else known.get(key)
    if found is None:
        found = pytest_gate.certified(policy, env, requirement, folder=folder, **options)
    if key is not None:
        known[key] = found
    target = config.getoption("--safe-policy-report")
    if target:
        pytest_gate.write(found, Path(target), _report_name(item))
    item.user_properties += pytest_gate.properties(found)
    return found


def _report_name(item: pytest.Item) -> str:
    """The test's name, with a number from its second certificate on."""
    before = [name for name, _ in item.user_properties if name == f"{PROPERTY}_verdict"]
    return f"{item.nodeid}-{len(before) + 1}" if before else item.nodeid


def _cache_of(config: pytest.Config) -> Path | None:
    """pytest's own cache folder, for what certifying learns; None where it is turned off."""
    cache = getattr(config, "cache", None)
    return None if cache is None else Path(cache.mkdir("safer-gym"))


def _require(found: Certificate, inconclusive: str) -> None:
    __tracebackhide__ = True
    from safer_gym.choices import choose
    from safer_gym.conformance import pytest_gate

    choose("inconclusive", inconclusive, INCONCLUSIVE)
    if found.verdict == "INCONCLUSIVE" and inconclusive == "skip":
        pytest.skip(pytest_gate.explained(found))
    if found.verdict != "PASS":
        pytest.fail(pytest_gate.explained(found), pytrace=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for each certified policy."""
    lines = list(dict.fromkeys(_summaries(terminalreporter)))
    if lines:
        terminalreporter.section("safer-gym")
        for line in lines:
            terminalreporter.write_line(line)


def _summaries(terminalreporter: Any) -> Iterator[str]:
    """From the reports' properties, which reach the main process from its workers too."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == f"{PROPERTY}_summary":
                    yield value
