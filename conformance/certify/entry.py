"""Certify a policy's safety under attack: the one engine behind Python, shell and pytest.

certificate = certify(model, make_env, requirement="P(cost > 5) <= 0.05 at eps = 0.05")
assert certificate.verdict == "PASS", certificate.requirements
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.certificate.requirement import Mode, Requirement
from safer_gym.conformance.certificate.requirement_files import as_requirements
from safer_gym.conformance.certify.noise import check_modes, noise_of
from safer_gym.conformance.certify.plan import make_plan, seconds_of
from safer_gym.conformance.certify.replay import replay_options
from safer_gym.conformance.certify.run import Certification, Settings
from safer_gym.conformance.certify.seeds import SPAN, start_of
from safer_gym.conformance.certify.subject import make_subject
from safer_gym.conformance.evaluate.attacked_policy import ROWS
from safer_gym.conformance.loading import source_of
from safer_gym.conformance.workers.pool import Workers, as_workers
from safer_gym.domains import AT_LEAST_ONE, COUNT, require
from safer_gym.progress import told
from safer_gym.types import Attack, Channel
from safer_gym.wrappers.tasks import Task

DEFAULT_EPISODES = 200
BENIGN_FACTOR = 20
"""Benign episodes at most, for each one that an attack may have."""

Progress = Callable[[str, float], None]
"""Called with what is being done, and the share of it that is done, in [0, 1]."""

Requirements = Requirement | str | Path | Sequence[Requirement | str] | None
"""A requirement, its sentence, the path of a TOML file, or several of the first two."""


def certify(
    policy: Any,
    make_env: Callable[[], gym.Env] | Task | str,
    *,
    requirement: Requirements = None,
    eps: float | Sequence[float] | None = None,
    limit: float | None = None,
    norm: str = "linf",
    scale: Any = None,
    modes: Sequence[Mode] | None = None,
    action_noise: float | Sequence[float] | None = None,
    observation_noise: float | Sequence[float] | None = None,
    battery: str | Mapping[str, Attack] = "standard",
    budget: float | str | None = None,
    episodes: int | None = None,
    benign_episodes: int | None = None,
    delta: float | None = None,
    max_step_cost: float | None = None,
    n_envs: int = 25,
    workers: int | Workers = 1,
    seed: int = 0,
    cache: Path | str | None = None,
    source: str | None = None,
    device: str = "cpu",
    vec_normalize: Any = None,
    units: str = "raw",
    channel: Channel | None = None,
    progress: Progress | bool | None = None,
) -> Certificate:
    """Bound the worst case of episodic cost over adversaries inside a ball.

    Args:
        policy: Whatever `as_victim` takes (a model, a torch module, a callable), what `load_policy`
            returned, or a name for `load_policy`: a file, or "my_module:function".
        make_env: Makes one environment with `info["cost"]`; or a name, see
            `wrappers.tasks.find_task`.
        requirement: What must hold; decides `eps`, `limit` and `modes` where they are not given.
        eps: Radii of the ball around what the adversary moves.
        limit: An episode with a cost above it is a violation.
        norm: "linf", "l2" or "l1".
        scale: Radius of each entry at eps = 1, or for Dict observations a dict of numbers or
            arrays by key; keys that it does not name are not attacked. None: the same for all.
        modes: "deterministic", "stochastic" or both; default: those of the requirements.
        action_noise: Certify another policy: the deterministic action plus Gaussian noise of this
            deviation, one number or one for each action, in the environment's units, clipped by
            the environment. It has to be deployed with it; there is no deterministic mode.
        observation_noise: The same for a policy that adds noise to every observation it reads.
        battery: "quick", "standard" or "full", or attacks of your own by label. One that seeks
            cost says so by `cost_directed = True`; without any there is no PASS under attacks.
        budget: Seconds, or a text like "120s" or "10m"; stops with what is known by then. What it
            leaves no time to learn supports no PASS under attacks.
        episodes: Most fresh episodes of each attack and radius; a decision may stop earlier.
        benign_episodes: Most episodes without an attack, for the bound over every adversary;
            default: 20 times `episodes`. Ten times as many allow a shift that is larger by about
            half a deviation.
        delta: Probability that any bound of the certificate is wrong; default: what the
            strictest requirement allows, or 0.05.
        max_step_cost: Largest cost of one step, where the environment does not say it. Bounds
            of the mean need it.
        n_envs: Environments alive at once in each worker.
        workers: Number of processes, or `RayWorkers`; changes the speed and nothing else.
        seed: Seed of everything, an integer >= 0; see `seeds`.
        cache: Folder for learned critics and adversaries; None keeps nothing.
        source: Where the policy came from, for the record and for replay commands.
        device: Where the policy computes.
        vec_normalize: The VecNormalize that the policy was trained behind, or its file; None
            takes the one that is attached to the model, False takes none. It becomes part of the
            policy's digest.
        units: What `eps` counts. "raw": units of the environment's observations, also where the
            policy reads normalised ones. "normalised": standard deviations of its VecNormalize,
            which then are the `scale`; for observations alone.
        channel: What the adversary moves: "observation", "action", or "disturbance" of an
            environment that can be disturbed; default: that of the requirements, or "observation".
            Of a policy with noise an adversary of actions knows all but the noise of the step. A
            bound over every such adversary needs Gaussian noise on the action and nothing else of
            the policy.
        progress: True shows a bar; a function is called now and then with what is being done and
            the share of it.

    Raises:
        ValueError, TypeError: an argument that is wrong, named with what was expected.
    """
    started, source = time.monotonic(), source_of(policy) if source is None else source
    requirements, noise = as_requirements(requirement), noise_of(action_noise, observation_noise)
    if noise.is_any:
        check_modes(requirements, modes)
        modes = ("stochastic",)
    plan = make_plan(requirements, eps=eps, limit=limit, modes=modes, delta=delta, channel=channel)
    require(AT_LEAST_ONE, n_envs=n_envs)
    require(COUNT, seed=seed)
    most = _count("episodes", episodes, DEFAULT_EPISODES)
    settings = Settings(
        battery=battery,
        seconds=seconds_of(budget),
        attack_episodes=most,
        n_envs=min(n_envs, ROWS),
        workers=as_workers(workers),
        seed=int(seed),
        start=start_of(seed),
        cache=None if cache is None else Path(cache).absolute(),  # workers may stand elsewhere
        norm=norm,
        scale=None,
        device=device,
        benign_episodes=_count("benign_episodes", benign_episodes, min(BENIGN_FACTOR * most, SPAN)),
    )
    subject = make_subject(
        policy,
        make_env,
        norm=norm,
        scale=scale,
        max_step_cost=max_step_cost,
        source=source,
        device=device,
        noise=noise,
        vec_normalize=vec_normalize,
        units=units,
        channel=plan.channel,
    )
    settings = settings._replace(scale=subject.scale, units=units)
    with told(progress) as telling:
        made = Certification(plan, settings, subject, telling, started).run()
    return made.naming("CERTIFICATE.json", *replay_options(source, make_env, vec_normalize))


def _count(name: str, value: int | None, default: int) -> int:
    require(AT_LEAST_ONE.or_none, **{name: value})
    if value is not None and value > SPAN:
        raise ValueError(
            f"{name} must be at most {SPAN:,}, got {value!r}: a phase has so many seeds, and those "
            "after them belong to another one"
        )
    return default if value is None else int(value)
