"""Train and measure the two tiny networks that the demo and the tests use.

    python -m scripts.train_embedded_models                  # both, about an hour of one core
    python -m scripts.train_embedded_models --evaluate-only  # the committed weights, seconds

Prints the held-out figures as JSON. Training writes `depth/embedded/` and `segment/embedded/` under
`--out`.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from scripts.training.cache import HeldOut, TrainingSet, held_out, training_set
from scripts.training.card import Training, write_card
from scripts.training.depth import load_depth_network, train_depth
from scripts.training.measure import as_json, depth_figures, segment_figures
from scripts.training.preprocess import DEPTH_RULE, SEGMENT_RULE, ResizeRule
from scripts.training.segment import load_segment_network, train_segment

TASKS: Final = Path(__file__).resolve().parent.parent / "tasks"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One network: how it is trained, measured and described.

    Attributes:
        steps: batches unless `--steps` says otherwise.
        train: from scenes, steps and seed to the network.
        measure: from its folder and held-out scenes to figures.
        rule: size of its input.
        output: meaning of its output, for the card.
    """

    steps: int
    train: Callable[[TrainingSet, int, int], Any]
    measure: Callable[[Path, HeldOut], dict[str, Any]]
    rule: ResizeRule
    output: str


def measure_depth(folder: Path, scenes: HeldOut) -> dict[str, Any]:
    """Held-out figures of the depth weights in `folder`."""
    return as_json(depth_figures(load_depth_network(folder), scenes))


def measure_segment(folder: Path, scenes: HeldOut) -> dict[str, Any]:
    """Held-out figures of the segmenter weights in `folder`."""
    return as_json(segment_figures(load_segment_network(folder), scenes))


RECIPES: Final[dict[str, Recipe]] = {
    "depth": Recipe(
        steps=2600,
        train=train_depth,
        measure=measure_depth,
        rule=DEPTH_RULE,
        output="relative inverse depth, larger is nearer, arbitrary scale and shift",
    ),
    "segment": Recipe(
        steps=3200,
        train=train_segment,
        measure=measure_segment,
        rule=SEGMENT_RULE,
        output="logits at a quarter of the input size, one class per colour and shape",
    ),
}


def folder_of(out: Path, name: str) -> Path:
    """Where the weights of network `name` lie."""
    return out / name / "embedded"


def train(name: str, options: argparse.Namespace, unseen: HeldOut) -> None:
    """Train one network and write its folder."""
    recipe, folder = RECIPES[name], folder_of(options.out, name)
    steps = options.steps or recipe.steps
    data = training_set(options.cache, options.scenes)
    began = time.monotonic()
    network = recipe.train(data, steps, options.seed)
    minutes = round((time.monotonic() - began) / 60, 1)
    network.save_pretrained(folder)
    write_card(
        folder,
        output=recipe.output,
        rule=recipe.rule,
        training=Training(steps, options.seed, options.scenes, minutes),
        figures=recipe.measure(folder, unseen),
    )


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=TASKS, help="folder of the task families")
    parser.add_argument("--model", choices=sorted(RECIPES), action="append", help="default: both")
    parser.add_argument("--steps", type=int, default=0, help="batches; 0 for the default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenes", type=int, default=8000, help="training scenes")
    parser.add_argument("--held-out", type=int, default=120, help="scenes to measure on")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="rendered scenes; default: a temporary folder")
    parser.add_argument("--evaluate-only", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Train unless told otherwise, then print the figures."""
    options = parsed(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    torch.set_num_threads(options.threads)
    unseen = held_out(options.held_out)
    names = options.model or sorted(RECIPES)
    with tempfile.TemporaryDirectory() as scratch:
        options.cache = options.cache or Path(scratch)
        for name in [] if options.evaluate_only else names:
            train(name, options, unseen)
    figures = {n: RECIPES[n].measure(folder_of(options.out, n), unseen) for n in names}
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
