"""Endpoints that a run starts itself: one server per replica, all up before anything is asked.

A server that cannot start stops the run before money or time is spent on anything else.  Servers
end with the run; the pool's services see to it that they end with a killed driver too.
"""

import secrets
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from infra.pool.services import Service, Services, ServiceSpec
from infra.services.serve_plan import ServePlan, read_serve_plan
from infra.teacher.endpoints import Endpoint
from sightline.closable import Closable

FACTORY = "infra.services.model_server:ModelServer"
KEY_BYTES = 24
MOST_AT_ONCE = 32
"""Servers that load at the same time; each waits in a thread."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One server to start, and the endpoint it is for."""

    endpoint: Endpoint
    plan: ServePlan
    key: str


class LocalModels(Closable):
    """The servers of a run; leaving the block ends them.

    Args:
        services: where they run.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._started = ExitStack()

    def start(self, endpoints: Sequence[Endpoint], models: Collection[str]) -> tuple[Endpoint, ...]:
        """Return `endpoints` with a running server behind each that serves one of `models`.

        An endpoint with several replicas becomes several endpoints.  Those to be served whose
        models nobody asks for are left out: their servers are not started.

        Raises:
            UsageError: a `serve` entry cannot be used.
            PoolError: no machine has room for a server, or one did not start.
        """
        wanted = [_wanted(endpoint, models) for endpoint in endpoints]
        with ThreadPoolExecutor(MOST_AT_ONCE) as threads:
            starting = [[threads.submit(self._run, each) for each in group] for group in wanted]
        found: list[Endpoint] = []
        for endpoint, group in zip(endpoints, starting, strict=True):
            found += [endpoint] if endpoint.serve is None else [each.result() for each in group]
        return tuple(found)

    def close(self) -> None:
        """End the servers; idempotent."""
        self._started.close()

    def _run(self, wanted: _Wanted) -> Endpoint:
        names = list(wanted.endpoint.models or ())
        plan = wanted.plan
        spec = ServiceSpec(
            FACTORY,
            {"plan": plan.model_dump(), "names": names, "key": wanted.key},
            num_cpus=plan.cpus,
            num_gpus=plan.gpus,
            concurrency=4,
        )
        server: Service = self._services.start(spec, plan.start_timeout_s)
        self._started.callback(server.stop)
        url = server.submit("url").result()
        return replace(wanted.endpoint, base_url=url, api_key=wanted.key, serve=None)


def _wanted(endpoint: Endpoint, models: Collection[str]) -> list[_Wanted]:
    """Return the servers of an endpoint, none if it needs none."""
    if endpoint.serve is None or not any(endpoint.serves(model) for model in models):
        return []
    plan = read_serve_plan(endpoint.name, endpoint.serve)
    key = endpoint.api_key or secrets.token_urlsafe(KEY_BYTES)
    if plan.replicas == 1:
        return [_Wanted(endpoint, plan, key)]
    return [
        _Wanted(replace(endpoint, name=f"{endpoint.name}-{number + 1}"), plan, key)
        for number in range(plan.replicas)
    ]
