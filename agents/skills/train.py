"""Training of a skill prior from offline data; Algorithm 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from safer_gym.agents.data.offline import OfflineData
from safer_gym.agents.skills.checkpoint import resume, save_checkpoint
from safer_gym.agents.skills.dataset import LABELS, SkillData, Steps
from safer_gym.agents.skills.losses import (
    UNSAFE_TERMS,
    PriorLoss,
    contrastive_loss,
    kl_to_standard,
)
from safer_gym.agents.skills.prior import PriorShape, SkillPrior
from safer_gym.choices import choose
from safer_gym.domains import AT_LEAST_ONE, AT_LEAST_TWO, NOT_NEGATIVE, NUMBER, SEED, require
from safer_gym.progress import told_as

CHECKPOINT = "prior.checkpoint"
LOG_EVERY = 20
"""Updates between points of TensorBoard's curves."""


@dataclass(frozen=True)
class PriorTraining:
    """How a prior is trained. The paper's values differ where it is said.

    Args:
        updates: of the weights (the paper: 500,000).
        batch_size: safe steps of an update, and as many unsafe ones.
        learning_rate: of Adam (the paper: 1e-4, SGD with momentum).
        unsafe_weight: lambda; 0 trains on safe data alone (the paper: 1e-4 or 1e-5).
        unsafe_term: "floor" (ours) or "freeze" (the paper's); see `contrastive_loss`.
        floor: see `contrastive_loss`.
        kl_weight: of the safety variable's KL (the paper: 1). At 1 the variable collapses on our
            data, at 0.3 it does not; see docs/skills.md.
        labels: "every", "onset" or "recovery"; see `SkillData`.
        blur: half-width of the uniform noise on actions, so that clipped ones are no point masses.
        clip: largest norm of the gradient.
        seed: of weights, batches and noise.
    """

    updates: int = 5000
    batch_size: int = 128
    learning_rate: float = 1e-3
    unsafe_weight: float = 1.0
    unsafe_term: str = "floor"
    floor: float = -10.0
    kl_weight: float = 1.0
    labels: str = "every"
    blur: float = 0.05
    clip: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        choose("unsafe_term", self.unsafe_term, UNSAFE_TERMS)
        choose("labels", self.labels, LABELS)
        require(AT_LEAST_ONE, updates=self.updates)
        require(AT_LEAST_TWO, batch_size=self.batch_size)
        weights = {"learning_rate": self.learning_rate, "unsafe_weight": self.unsafe_weight}
        require(NOT_NEGATIVE, **weights, kl_weight=self.kl_weight, blur=self.blur, clip=self.clip)
        require(NUMBER, floor=self.floor)
        require(SEED, seed=self.seed)


class Progress(NamedTuple):
    """After an update."""

    update: int
    loss: PriorLoss


class PriorTrainer:
    """Weights, optimiser and generator: all that an interrupted training needs to go on.

    Args:
        data: see `SkillData`.
        shape: of the prior.
        training: how.
        source: how messages call the data.

    Raises:
        ValueError: unsafe steps are wanted, and the data has none.
    """

    def __init__(
        self,
        data: OfflineData,
        shape: PriorShape,
        training: PriorTraining,
        source: str = "the data",
    ) -> None:
        self.data = SkillData(data, shape.window, training.labels, source)
        self.training = training
        if training.unsafe_weight > 0 and not len(self.data.unsafe):
            raise ValueError(f"{source} has no unsafe step; unsafe_weight=0 does without")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            self.prior = SkillPrior(shape)
        self.prior.encoder.fit(self.data.observations)
        self.optimizer = torch.optim.Adam(
            self.prior.parameters(), lr=training.learning_rate, fused=True
        )
        self.generator = torch.Generator().manual_seed(training.seed)
        self.done = 0

    @cached_property
    def identity(self) -> dict[str, dict[str, Any]]:
        """What a checkpoint must share with this training, as data."""
        return {
            "shape": asdict(self.prior.shape),
            "training": asdict(self.training),
            "data": {"digest": self.data.digest},
        }

    def update(self) -> PriorLoss:
        """One step of the optimiser."""
        found = self.loss()
        self.optimizer.zero_grad(set_to_none=True)
        found.total.backward()
        torch.nn.utils.clip_grad_norm_(self.prior.parameters(), self.training.clip)
        self.optimizer.step()
        self.done += 1
        return found

    def loss(self) -> PriorLoss:
        """Of fresh batches."""
        options = self.training
        safe, kl = self._likelihood(self.data.safe)
        unsafe: Tensor | None = None
        if options.unsafe_weight > 0:
            unsafe, kl_unsafe = self._likelihood(self.data.unsafe)
            kl = kl + kl_unsafe
        return contrastive_loss(
            safe, unsafe, kl, options.unsafe_weight, options.floor, options.unsafe_term,
            options.kl_weight,
        )  # fmt: skip

    def _likelihood(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """log p(a | s, c) with c ~ q(. | window) [B], and the mean KL(q || p) []."""
        steps = self.data.draw(rows, self.training.batch_size, self.generator)
        actions = self.data.actions[steps.rows]
        noise = torch.rand(actions.shape, generator=self.generator)
        actions = (actions + self.training.blur * (2 * noise - 1)).clamp(-1, 1)
        features, c, kl = self._sampled(steps)
        return self.prior.log_prob(actions, features, c), kl

    def _sampled(self, steps: Steps) -> tuple[Tensor, Tensor | None, Tensor]:
        """Features, a reparametrised sample of the safety variable, and its mean KL."""
        features, q = self.data.context(self.prior, steps)
        if q is None:
            return features, None, features.new_zeros(())
        noise = torch.randn(q.mean.shape, generator=self.generator)
        return features, q.mean + q.scale * noise, kl_to_standard(q).mean()

    def state(self) -> dict[str, Any]:
        """All of it, as data."""
        return self.identity | {
            "done": self.done,
            "weights": self.prior.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`.

        Raises:
            ValueError: it is that of another training, or on other data; names what differs. An
                older state, which does not know its data, is refused too.
        """
        for part, wanted in self.identity.items():
            for name, value in wanted.items():
                if part == "training" and name == "updates":
                    continue  # a longer training goes on from a shorter one
                found = state.get(part, {}).get(name)
                if found != value:
                    raise ValueError(f"it is of {part} with {name} = {found!r}, not {value!r}")
        self.prior.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.done = int(state["done"])


def train_prior(
    data: OfflineData,
    shape: PriorShape,
    training: PriorTraining | None = None,
    *,
    folder: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: Callable[[Progress], None] | bool | None = None,
    tensorboard: str | Path | None = None,
    source: str = "the data",
) -> SkillPrior:
    """Train a prior, or go on with one.

    Args:
        data: actions in [-1, 1].
        shape: of the prior.
        training: how; the defaults of `PriorTraining`.
        folder: where a checkpoint is kept. A training that was killed goes on from it and ends as
            an unbroken one would.
        checkpoint_every: updates between checkpoints.
        progress: True shows a bar; a function is called after each update.
        tensorboard: folder for TensorBoard's log; needs the extra `tensorboard`.
        source: how messages call the data.

    Raises:
        ValueError: data, shape or training do not fit, or the folder's checkpoint is damaged or
            another's: of another shape or training, or on other data.
        FloatingPointError: the loss is not finite; the last checkpoint stays.
    """
    training = training or PriorTraining()
    trainer = PriorTrainer(data, shape, training, source)
    checkpoint = None if folder is None else Path(folder) / CHECKPOINT
    if checkpoint is not None:
        resume(trainer, checkpoint)
    log = _log_to(tensorboard)
    with told_as(progress, "prior", lambda now: now.update / training.updates) as telling:
        while trainer.done < training.updates:
            found = trainer.update()
            if not found.total.isfinite():
                raise FloatingPointError(
                    f"the loss is {found.total.item()} at update {trainer.done}"
                )
            log(trainer.done, found)
            telling(Progress(trainer.done, found))
            ended = trainer.done == training.updates
            if checkpoint is not None and (ended or trainer.done % checkpoint_every == 0):
                save_checkpoint(trainer, checkpoint)
    return trainer.prior.eval().requires_grad_(False)


def _log_to(folder: str | Path | None) -> Callable[[int, PriorLoss], None]:
    """Writes the parts of the loss, at one update in `LOG_EVERY`."""
    if folder is None:
        return lambda update, loss: None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "tensorboard= needs tensorboard: pip install 'safer-gym[tensorboard]'"
        ) from error
    writer = SummaryWriter(str(folder))

    def log(update: int, loss: PriorLoss) -> None:
        if update % LOG_EVERY == 0:
            for name, value in loss._asdict().items():
                writer.add_scalar(f"prior/{name}", value.item(), update)
            writer.flush()

    return log
