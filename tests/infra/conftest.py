"""One Ray for all tests of a session: starting it takes seconds."""

from collections.abc import Iterator

import pytest

from infra.pool.ray_pool import RayPool, RaySetup
from tests.infra.pool.pool_workers import PLACEMENT


@pytest.fixture(scope="session")
def ray_pool() -> Iterator[RayPool]:
    setup = RaySetup(num_cpus=2, env={"SIGHTLINE_PROBE": "from the driver"})
    with RayPool(PLACEMENT, setup) as pool:
        yield pool
