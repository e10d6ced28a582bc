"""A film of two runs' last policies side by side, from the same start; a touch reddens the frame.

python -m experiments.skills.film --out runs/reproduction --task operation-13 docs/skills.gif

`--out` is the folder of `reproduce --paper skills`; needs the extra `report`.
"""

from __future__ import annotations

import argparse
from itertools import zip_longest
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from experiments.harness.cells import Cell
from experiments.skills.measuring import PROTOCOL, SEED, deployed
from experiments.skills.methods import find_method
from safer_gym.conformance.cli.threads import one_thread

METHODS = ("PARROT", "SkillSAFER")
MILLISECONDS = 120
ALARM, INK, PAPER = (200, 16, 46), (28, 31, 36), (252, 252, 250)
EDGE, HEAD = 5, 18
COLOURS = 64


def episode(policy: Any, env: gym.Env, seed: int) -> tuple[list[NDArray], list[bool], bool]:
    """Pictures [H, W, 3], which of them show a touch, and whether the object came out."""
    obs, _ = env.reset(seed=seed)
    pictures, touches, state, over = [_seen(env)], [False], None, False
    while not over:
        action, state = policy.predict(obs, state, deterministic=True)
        obs, _, terminated, truncated, info = env.step(action)
        pictures.append(_seen(env))
        touches.append(info["cost"] > 0)
        over = terminated or truncated
    return pictures, touches, bool(info["success"])


def _seen(env: gym.Env) -> NDArray:
    return np.asarray(env.render())


def framed(name: str, picture: NDArray, touches: int, touching: bool) -> Image.Image:
    """A picture with the method's name, the touches so far, and a red frame at a touch."""
    height, width = picture.shape[:2]
    image = Image.new("RGB", (width + 2 * EDGE, height + 2 * EDGE + HEAD), PAPER)
    pen = ImageDraw.Draw(image)
    if touching:
        pen.rectangle((0, HEAD, image.width, image.height), fill=ALARM)
    pen.text((EDGE, 3), f"{name}: {touches} steps in touch", fill=ALARM if touches else INK)
    image.paste(Image.fromarray(picture), (EDGE, EDGE + HEAD))
    return image


def side_by_side(frames: list[Image.Image]) -> Image.Image:
    """One picture of several of a size."""
    joined = Image.new("RGB", (sum(frame.width for frame in frames), frames[0].height), PAPER)
    for number, frame in enumerate(frames):
        joined.paste(frame, (number * frame.width, 0))
    return joined


def filmed(cells: list[Cell], seed: int) -> list[Image.Image]:
    """The frames; who is done first waits."""
    shown = []
    for cell in cells:
        policy, task = deployed(cell)
        env = task.make(render_mode="rgb_array")
        pictures, touches, _ = episode(policy, env, seed)
        env.close()
        counts = np.cumsum(touches)
        frames = zip(pictures, counts, touches, strict=True)
        shown.append([framed(cell.method, p, int(n), t) for p, n, t in frames])
    longest = [
        [frame or frames[-1] for frame, frames in zip(row, shown, strict=True)]
        for row in zip_longest(*shown)
    ]
    return [side_by_side(row).quantize(COLOURS) for row in longest]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("film", type=Path)
    options.add_argument("--out", type=Path, default=Path("runs/reproduction"))
    options.add_argument("--task", required=True)
    options.add_argument("--seed", type=int, default=0, help="of the runs")
    options.add_argument("--start", type=int, default=SEED, help="seed of the episode")
    asked = options.parse_args()
    one_thread()
    work = (asked.out / "runs").resolve()
    records = work.parent / "records"
    cells = [
        Cell(asked.task, name, find_method(name).training, asked.seed, 0, 1, "none", work, records,
             PROTOCOL)
        for name in METHODS
    ]  # fmt: skip
    first, *rest = filmed(cells, asked.start)
    first.save(asked.film, save_all=True, append_images=rest, duration=MILLISECONDS, loop=0)
    print(f"{asked.film}: {len(rest) + 1} frames, {asked.film.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
