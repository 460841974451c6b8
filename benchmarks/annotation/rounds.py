"""Starts the contenders, lets them take turns, and reads what they used from outside."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.annotation.job import Job
from benchmarks.measuring.process_tree import TreeMeter, Usage

ROOT: Final = Path(__file__).resolve().parents[2]
CHILD: Final = Path(__file__).resolve().parent / "child.py"


class ContenderError(RuntimeError):
    """A contender ended before it answered; its last words are in the message."""


@dataclass(slots=True)
class Contender:
    """A started contender and what it has answered."""

    job: Job
    child: "subprocess.Popen[str]"
    log: Path
    facts: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    sampled: dict[str, Any] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    peaks: list[int] = field(default_factory=list)

    def ask(self, what: str) -> dict[str, Any]:
        """Send one line and return the answer.

        Raises:
            ContenderError: it ended.
        """
        if self.child.stdin is None or self.child.stdout is None:
            msg = "expected pipes"
            raise ContenderError(msg)
        if what:
            with contextlib.suppress(BrokenPipeError):
                self.child.stdin.write(f"{what}\n")
                self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            words = self.log.read_text(errors="replace").strip().splitlines()[-12:]
            raise ContenderError(f"{self.job.contender}: " + " | ".join(words))
        return dict(json.loads(line))

    def run(self, *, is_warm_up: bool = False) -> None:
        """Let it run once and keep the figures, unless it only warms up."""
        meter = TreeMeter(self.child.pid)  # while it runs only: a look at /proc is not free
        try:
            self.last = self.ask("run")
        finally:
            self.usage = meter.close(0.0)
        if not is_warm_up:
            self.runs.append(self.last)
            self.peaks.append(self.usage.peak_rss_bytes)

    def sample(self) -> None:
        """Let it run once under the sampler."""
        self.sampled = self.ask("stages")

    def close(self) -> None:
        """End it."""
        if self.child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.child.stdin.close()
        try:
            self.child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


@contextlib.contextmanager
def started(job: Job, folder: Path, env: Mapping[str, str]) -> Iterator[Contender]:
    """Give a contender that has loaded its network, and end it afterwards.

    Raises:
        ContenderError: it could not be built.
    """
    name = job.contender.replace(" ", "-").replace(",", "")
    file, log = job.write(folder / f"{name}.json"), folder / f"{name}.log"
    with log.open("w") as stderr:
        child = subprocess.Popen(
            [sys.executable, str(CHILD), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
        )
    contender = Contender(job, child, log)
    try:
        contender.facts = contender.ask("")
        yield contender
    finally:
        contender.close()


def medians(contender: Contender) -> dict[str, Any]:
    """Return the figures of a contender over its runs."""
    runs = contender.runs
    rates = sorted(run["images"] / run["seconds"] for run in runs)
    cpu = [run["cpu_s"] / run["images"] for run in runs]
    found = {
        "images_per_s": round(statistics.median(rates), 3),
        "images_per_s_range": [round(rates[0], 3), round(rates[-1], 3)],
        "cpu_s_per_image": round(statistics.median(cpu), 5),
        "peak_rss_mb": round(max(contender.peaks) / 2**20),
    }
    if "gpu_peak_bytes" in runs[-1]:
        found["gpu_peak_mb"] = round(max(run["gpu_peak_bytes"] for run in runs) / 2**20)
    return found | {"facts": contender.facts}


def split(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return CPU milliseconds per image by stage, largest first, of a run under the sampler."""
    images = run["images"]
    by_size = sorted(run["stages"].items(), key=lambda item: -item[1])
    return {stage: round(1000 * seconds / images, 3) for stage, seconds in by_size}


def ratios(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return how Sightline compares: rates over rates, CPU seconds of the others over its own."""
    own = found.get("sightline")
    if own is None:
        return {}
    others: Sequence[str] = [name for name in found if name != "sightline"]
    rate = {n: own["images_per_s"] / found[n]["images_per_s"] for n in others}
    cpu = {n: found[n]["cpu_s_per_image"] / own["cpu_s_per_image"] for n in others}
    return {f"rate over {n}": round(value, 3) for n, value in rate.items()} | {
        f"CPU of {n} over own": round(value, 3) for n, value in cpu.items()
    }
