"""A driver in a process of its own: `pool_driver.py ADDRESS|local FATE`; prints what it sees."""

# ruff: noqa: T201 - its output is what the tests read

import os
import signal
import sys

from infra.pool.ray_pool import RayPool, RaySetup
from infra.pool.workers import Placement
from tests.infra.pool.pool_workers import batch, batches, out, spec


def main(address: str, fate: str) -> None:
    setup = RaySetup(address=None if address == "local" else address, num_cpus=1)
    with RayPool(Placement(workers=1), setup) as pool:
        print(out(list(pool.map(spec("Doubler"), batches(4, 2)))), flush=True)
        if fate == "where":
            print(next(pool.map(spec("Whereabouts"), [batch(1)])).table["out"][0], flush=True)
        if fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "interrupted":
            print(list(pool.map(spec("Sleeper"), [batch(6000)])))


if __name__ == "__main__":
    main(*sys.argv[1:])
