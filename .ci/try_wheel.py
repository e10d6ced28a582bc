"""Try an installed wheel without extras, in an empty folder, as a new user does: `make test-wheel`.

Each command must end with its exit code and say what stands beside it; what lacks an extra must
say so in one line and end with 3.
"""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "your-environment.md"
SAC = ROOT / "examples" / "policies" / "cart-pole-sac.zip"
HALL = "--env hall:Hall --cost hall:touches --max-steps 50"
SMALL = "--battery quick --episodes 20 --eps 0.05"


class Try(NamedTuple):
    """A command line of safer-gym, its exit code, and words of its output."""

    line: str
    code: int = 0
    words: str = ""


WORKS = (
    Try("--help", words="certify"),
    Try("tasks", words="cart-pole"),
    Try("doctor", words="healthy"),
    Try("selfcheck --areas statistics", words="passed"),
    Try(f"evaluate hall:drive {HALL} --attacks natural,uniform --eps 0.05 --episodes 3"),
    Try(f"attack hall:drive {HALL} --attacks uniform --eps 0.05 --episodes 3"),
    Try(
        f'certify hall:drive {HALL} {SMALL} --out cert --requirement "P(cost > 2) <= 0.9 at eps = '
        '0.05 under attacks"',
        words="PASS",
    ),
    Try("verify cert/certificate.json", words="every bound follows"),
    Try("report cert/certificate.json --out again", words="certificate.html"),
    Try("diff cert/certificate.json cert/certificate.json", words="no difference"),
    Try(
        "replay cert/certificate.json --attack natural --eps 0.05 --model hall:drive " + HALL,
        words="recorded",
    ),
    Try("card cert/certificate.json --annex --out README.md", words="README.md"),
    Try("leaderboard cert --out board.html", words="board.html"),
    Try(
        f"compare hall:drive hall:drive {HALL} --attacks uniform --eps 0.05 --episodes 4",
        words="PASS",
    ),
    Try(
        f"train {HALL} --algorithm safer --cost-limit 2 --eps 0.05 --timesteps 1200 --out run",
        words="model.zip",
    ),
    Try("export run/model.zip --out run/model.pt " + HALL, words="differs"),
    Try("evaluate run/model.pt --attacks natural --episodes 2 " + HALL),
)
ASKED = "--attacks natural --eps 0.05 --episodes 1"
MISSES = (
    Try("evaluate ball-circle/safer --episodes 1", 3, "safer-gym[bullet]"),
    Try(f"evaluate hall:drive --env operation-7 {ASKED}", 3, "safer-gym[bullet]"),
    Try(f"evaluate tqc.zip {HALL} {ASKED}", 3, "safer-gym[contrib]"),
    Try(f"evaluate hall:drive --env walker2d {ASKED}", 3, "safer-gym[mujoco]"),
    Try(f"export sac.zip --out sac.onnx {HALL}", 3, "safer-gym[onnx]"),
    Try(f"certify hall:drive {HALL} {SMALL} --sign key.pem", 3, "safer-gym[sign]"),
    Try("prior data.hdf5 --out prior", 3, "safer-gym[skills]"),
    Try("prior data.npz --out prior --flow nsf", 3, "safer-gym[skills]"),
    Try("prior data.npz --out prior --updates 1 --tensorboard log", 3, "safer-gym[tensorboard]"),
    Try(f"certify hall:drive {HALL} {SMALL} --ray auto", 3, "safer-gym[ray]"),
    Try(f"evaluate hall:drive {HALL} {ASKED} --ray auto", 3, "safer-gym[ray]"),
    Try(f"attack hall:drive {HALL} {ASKED} --ray auto", 3, "safer-gym[ray]"),
    Try(f"train {HALL} --seeds 0,1 --cost-limit 2 --eps 0.05 --ray auto", 3, "safer-gym[ray]"),
)
"""What each extra is for; that of reports is never missed, Stable-Baselines3 brings matplotlib."""


def tried(attempt: Try, folder: Path) -> str:
    """What was wrong; "" where nothing was."""
    words = [sys.executable, "-m", "safer_gym.conformance.cli.main", *shlex.split(attempt.line)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode != attempt.code:
        return f"ended with {done.returncode} instead of {attempt.code}:\n{output}"
    if attempt.words not in output:
        return f"does not say {attempt.words!r}:\n{output}"
    if "Traceback" in output:
        return f"shows a traceback:\n{output}"
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    if attempt.code == 3 and len(lines) != 1:
        return f"does not say it in one line:\n{output}"
    return ""


def main() -> int:
    """Run all; the number of those that went wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = prepared(Path(name))
        wrong = 0
        for attempt in (*WORKS, *MISSES):
            reason = tried(attempt, folder)
            wrong += bool(reason)
            print(f"{'WRONG' if reason else 'ok':5} safer-gym {attempt.line} {reason}", flush=True)
    print(f"{len(WORKS) + len(MISSES) - wrong} passed, {wrong} failed")
    return wrong


def prepared(folder: Path) -> Path:
    """The folder with all files that the commands name."""
    text = PAGE.read_text()
    (folder / "hall.py").write_text(text.split("```python file=hall.py\n")[1].split("```")[0])
    (folder / "key.pem").write_text("no key is read before the package is there")
    (folder / "data.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n")
    shutil.copyfile(SAC, folder / "sac.zip")
    _as_tqc(SAC, folder / "tqc.zip")
    _offline(folder / "data.npz")
    return folder


def _as_tqc(model: Path, path: Path) -> None:
    """The model with a policy class of sb3-contrib."""
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "data":
                data = json.loads(content)
                pickled = base64.b64encode(b"csb3_contrib.tqc.policies\nTQCPolicy\n.").decode()
                data["policy_class"][":serialized:"] = pickled
                content = json.dumps(data).encode()
            new.writestr(name, content)


def _offline(path: Path) -> None:
    import numpy as np

    n = 200
    chance = np.random.default_rng(0)
    np.savez(
        path,
        observations=chance.normal(size=(n, 3)).astype(np.float32),
        next_observations=chance.normal(size=(n, 3)).astype(np.float32),
        actions=chance.uniform(-1, 1, (n, 2)).astype(np.float32),
        rewards=np.zeros(n, np.float32),
        costs=(chance.random(n) < 0.3).astype(np.float32),
        terminals=np.zeros(n, bool),
        timeouts=np.arange(n) % 50 == 49,
    )


if __name__ == "__main__":
    sys.exit(min(main(), 1))
