"""The commands `export`, `card` and `leaderboard`: what is shown of a policy elsewhere."""

from __future__ import annotations

from pathlib import Path

from safer_gym.agents.training.plan import ENVIRONMENT
from safer_gym.conformance.certificate.record import Certificate
from safer_gym.conformance.cli.environments import EnvWords, environment_of, sidecar
from safer_gym.conformance.cli.output import print_json
from safer_gym.conformance.cli.threads import one_thread
from safer_gym.conformance.export import export_policy
from safer_gym.conformance.files import write_atomically
from safer_gym.conformance.loading import load_policy
from safer_gym.conformance.loading.zoo import packaged_policies
from safer_gym.conformance.report.certificate.card import render_card
from safer_gym.conformance.report.leaderboard import read_board, render_leaderboard


def run_export(
    model: str,
    out: list[Path],
    env: EnvWords,
    *,
    trust: bool,
    vec_normalize: str,
    as_json: bool,
) -> None:
    """Write the policy to each file, and say how it compares."""
    one_thread()
    loaded = load_policy(model, trust=trust, vec_normalize=vec_normalize or None)
    record = _record(model, env, trust=trust)
    written = [export_policy(loaded, path, record=record) for path in out]
    if as_json:
        print_json([{**w._asdict(), "path": str(w.path)} for w in written])
        return
    for file in written:
        print(f"{file.path}: {file.stated['action']['output']}")
        print(
            f"  differs from the policy's own predict by at most {file.difference:.2g} on "
            f"{file.stated['observations_compared']} observations; sha256 {file.digest[:16]}..."
        )
    if stated := written[0].stated if written else None:
        normaliser = stated["normaliser"]
        noise = stated["noise"]
        words = noise if isinstance(noise, str) else f"{noise['kind']}, {noise['deviations']}, "
        words += "" if isinstance(noise, str) else noise["where"]
        print(f"normaliser: {'none' if normaliser is None else normaliser['where']}")
        print(f"noise: {words}")


def _record(model: str, env: EnvWords, *, trust: bool) -> dict[str, object]:
    """The environment, as the commands read it from the file beside a model; {} if unknown."""
    beside = sidecar(Path(model).with_suffix(".json")) if Path(model).is_file() else {}
    if not (env.env or model in packaged_policies() or beside.get("task")):
        return {}
    task = environment_of(model, env, trust=trust)
    return {"task": task.name, **({ENVIRONMENT: task.changes} if task.changes else {})}


def run_card(
    certificate: Path, out: Path | None, *, name: str, licence: str, library: str, annex: bool
) -> None:
    """Write the model card, or print it."""
    data = Certificate.load(certificate).to_json()
    text = render_card(data, name=name, licence=licence, library=library, annex=annex)
    if out is None:
        print(text, end="")
    else:
        write_atomically(out, text)
        print(out)


def run_leaderboard(folder: Path, out: Path | None) -> None:
    """Write the page of a folder of certificates."""
    board = read_board(folder)
    page = out or folder / "index.html"
    write_atomically(page, render_leaderboard(board))
    entries = sum(len(group) for group in board.groups.values())
    skipped = f"; {len(board.skipped)} files not taken" if board.skipped else ""
    print(f"{page}: {entries} entries in {len(board.groups)} tables{skipped}")
