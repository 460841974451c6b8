"""The training loop that both networks share: AdamW, warm-up and cosine, averaged weights."""

import logging
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

log = logging.getLogger(__name__)

LOG_EVERY: Final = 100
WARM_UP_STEPS: Final = 150
CLIP_NORM: Final = 1.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: batches.
        seed: order of the batches, augmentation and first weights.
        batch: scenes per batch.
        peak_rate: learning rate after the warm-up.
        averaging: share of the running average that each step keeps.
    """

    steps: int
    seed: int
    batch: int
    peak_rate: float
    averaging: float = 0.998


@dataclass(frozen=True, slots=True)
class Task:
    """What is learnt.

    Attributes:
        network: with first weights.
        scenes: number of scenes to draw from.
        loss: from the network, scene numbers and a random generator to a scalar.
    """

    network: nn.Module
    scenes: int
    loss: Callable[[nn.Module, npt.NDArray[np.intp], np.random.Generator], torch.Tensor]


def trained(task: Task, schedule: Schedule) -> nn.Module:
    """The network with averaged weights after `schedule.steps` batches."""
    # Convolutions with channels last take half the time of channels first on these CPUs.
    network: nn.Module = task.network.train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.peak_rate, weight_decay=0.02)
    random, began, total = np.random.default_rng(schedule.seed), time.monotonic(), 0.0
    order = _order(task.scenes, schedule, random)
    for step, scenes in enumerate(order, start=1):
        for group in optimiser.param_groups:
            group["lr"] = schedule.peak_rate * rate_share(step, schedule.steps)
        loss = task.loss(network, scenes, random)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        optimiser.step()
        _follow(average, network, min(schedule.averaging, step / (step + 10)))
        total += loss.item()
        if step % LOG_EVERY == 0:
            seconds = time.monotonic() - began
            log.info("step %s loss %.4f after %.0f s", step, total / LOG_EVERY, seconds)
            total = 0.0
    return average


def rate_share(step: int, steps: int) -> float:
    """Share of the peak learning rate at `step` (1-based): linear warm-up, then half a cosine."""
    warm_up = min(WARM_UP_STEPS, steps // 10 + 1)
    if step <= warm_up:
        return step / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return 0.5 * (1 + math.cos(math.pi * done))


def _order(
    scenes: int, schedule: Schedule, random: np.random.Generator
) -> list[npt.NDArray[np.intp]]:
    """Batches of scene numbers: every scene once before any comes again."""
    needed = schedule.steps * schedule.batch
    rounds = [random.permutation(scenes) for _ in range(-(-needed // scenes))]
    return list(np.concatenate(rounds)[:needed].reshape(schedule.steps, schedule.batch))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the averaged weights towards the network's."""
    for mean, now in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(now, 1 - keep)
    for old, new in zip(average.buffers(), network.buffers(), strict=True):
        old.copy_(new)
