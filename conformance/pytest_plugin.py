"""A pytest plugin: a test that fails unless a policy's worst-case cost meets its requirement.

@pytest.mark.safe_policy(
    policy="model.zip", env="SaferGym/BallCircle-v0", requirement="requirements.toml"
)
def test_the_policy_is_safe_under_attack(certificate):
    assert certificate.certified_eps >= 0.002

The marker certifies before the test's body runs; the body may ask more of the certificate, or be
empty. The fixture `certify_policy` does the same as a function. A policy's file is read as data:
see `safer_gym.conformance.loading`. Verdicts, radii and digests go into JUnit as properties.

This module is imported by every pytest that runs where safer-gym is installed. So it imports
nothing heavy before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from safer_gym.conformance.certificate.record import Certificate

MARKER = "safe_policy"
PROPERTY = "safer_gym"
INCONCLUSIVE = ("fail", "skip")
CERTIFICATES: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
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


def pytest_itemcollected(item: pytest.Item) -> None:
    """A marked test uses the certificate whether or not it names it."""
    names = getattr(item, "fixturenames", ["certificate"])
    if item.get_closest_marker(MARKER) is not None and "certificate" not in names:
        names.append("certificate")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """The verdict, before the body runs: a failure of the test, not of its setup."""
    marker = pyfuncitem.get_closest_marker(MARKER)
    if marker is not None:
        inconclusive = marker.kwargs.get("inconclusive", "fail")
        found: Any = pyfuncitem.funcargs["certificate"]
        _require(found, inconclusive)


@pytest.fixture
def certificate(request: pytest.FixtureRequest, certify_policy: Any) -> Certificate:
    """The certificate of the test's `safe_policy` marker."""
    marker = request.node.get_closest_marker(MARKER)
    if marker is None:
        raise pytest.UsageError(f"the fixture `certificate` needs the marker {USAGE}")
    # The verdict is the test's own: see pytest_pyfunc_call.
    return certify_policy(*marker.args, **{**marker.kwargs, "inconclusive": None})


@pytest.fixture
def certify_policy(request: pytest.FixtureRequest) -> Callable[..., Certificate]:
    """A function: certify_policy(policy, env, requirement, inconclusive="fail", **options).

    It returns the certificate, and fails the test unless the verdict is PASS. What it was asked
    once, with the same texts, it does not compute again in the session.
    """

    def certify_policy(
        policy: Any,
        env: Any,
        requirement: Any,
        *,
        inconclusive: str | None = "fail",
        trust: bool = False,
        **options: Any,
    ) -> Certificate:
        from safer_gym.conformance import pytest_gate

        config, folder = request.config, Path(request.node.path).parent
        options.setdefault("budget", config.getoption("--safe-policy-budget"))
        options.setdefault("cache", _cache_of(config))
        trust = trust or bool(config.getoption("--safe-policy-trust"))
        known, key = (
            config.stash[CERTIFICATES],
            pytest_gate.key_of(folder, policy, env, requirement, options),
        )
        found = known.get(key) or pytest_gate.certified(
            policy, env, requirement, folder=folder, trust=trust, **options
        )
        known[key] = found
        request.node.user_properties += pytest_gate.properties(found)
        target = config.getoption("--safe-policy-report")
        if target:
            pytest_gate.write(found, Path(target), request.node.nodeid)
        if inconclusive is not None:
            _require(found, inconclusive)
        return found

    return certify_policy


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
