"""One contender in a process of its own, so that memory and CPU seconds are its alone.

It reads its job from the file it is started with, says what it is on one line of JSON, and then
runs once per line `run` on its input, `stages` for a run under the sampler, until its input ends.
Contenders thus take turns on one machine, and what drifts there hits all of them.
"""

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from benchmarks.annotation.job import Job
from benchmarks.measuring.process_tree import tree_cpu_s
from benchmarks.measuring.stages import StageClock

CONTENDERS: Final = {
    "bare forward": "bare:BareForward",
    "forward as placed": "placed:PlacedForward",
    "sightline": "sightline_run:SightlineRun",
    "pipeline": "pipeline_peer:Pipeline",
    "pipeline, equal input": "pipeline_peer:EqualPipeline",
    "plain loop": "plain_loop:PlainLoop",
}
STAGES: Final = {
    "infra/images/decode.py": "decode",
    "infra/images/jpeg.py": "decode",
    "infra/images/pixels.py": "resize",
    "tasks/vision/pixels.py": "resize",
    "infra/images/depth_codec.py": "encode",
    "infra/lake/": "lake",
    "sightline/schemas.py": "lake",
    "infra/checkpoints.py": "weights",
    "tasks/vision/": "forward",
    "tasks/depth/model.py": "forward",
    "site-packages/torch/": "forward",
}


def main() -> None:
    """Serve."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # libraries that print must not break the protocol
    job = Job.read(Path(sys.argv[1]))
    module, name = CONTENDERS[job.contender].split(":")
    contender = getattr(import_module(f"benchmarks.annotation.{module}"), name)(job)
    print(json.dumps(contender.facts | device_facts()), file=replies)
    for line in sys.stdin:
        print(json.dumps(measured(contender, samples="stages" in line)), file=replies)


def measured(contender: Any, *, samples: bool) -> dict[str, Any]:
    """Return the figures of one run; `prepare`, where there is one, comes before the clock."""
    getattr(contender, "prepare", lambda: None)()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    clock = StageClock(STAGES)
    if samples:
        clock.start()
    cpu_s, began = tree_cpu_s(os.getpid()), time.perf_counter()
    images = contender.run()
    seconds, used = time.perf_counter() - began, tree_cpu_s(os.getpid()) - cpu_s
    found = {"images": images, "seconds": seconds, "cpu_s": used}
    if samples:
        found["stages"] = clock.stop()
        found["stored_bytes"] = getattr(contender, "stored_bytes", lambda: 0)()
    if torch.cuda.is_available():
        found["gpu_peak_bytes"] = torch.cuda.max_memory_reserved()
    return found


def device_facts() -> dict[str, Any]:
    """Return what torch computes on."""
    if torch.cuda.is_available():
        return {"torch_device": torch.cuda.get_device_name()}
    return {"torch_device": "cpu", "torch_threads": torch.get_num_threads()}


if __name__ == "__main__":
    main()
