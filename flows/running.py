"""Runs one flow from the command line, against the configured Prefect API or a server of ours.

Prefect reads the address of its API when it is imported, so flows are imported once it is known:
while our server starts, because both take seconds.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra.prefect_api.server import ApiSession, prefect_api, use
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenedFlow:
    """A flow whose API answers.

    Attributes:
        ui_url: address of the Prefect UI.
    """

    ui_url: str
    _flow: Callable[..., Any]

    def run(self, given: Mapping[str, Any]) -> Any:
        """Return what the flow returns for these parameters."""
        try:
            return self._flow(**given)
        finally:
            _send_last_logs()


@contextmanager
def opened_flow(settings: Settings, name: str, module: str | None = None) -> Iterator[OpenedFlow]:
    """Give the flow `name` of the module `flows.<module or name>`.

    Raises:
        UsageError: an API is configured and does not answer.
        SightlineError: the local server did not start.
    """
    found: list[Callable[..., Any]] = []

    def import_flow(session: ApiSession) -> None:
        use(session)
        found.append(getattr(importlib.import_module(f"flows.{module or name}"), name))

    with prefect_api(settings, meanwhile=import_flow) as session:
        yield OpenedFlow(session.ui_url, found[0])


def _send_last_logs() -> None:
    """Wait until Prefect has sent its logs: the server of this run ends right after."""
    handlers: Any = importlib.import_module("prefect.logging.handlers")
    handlers.APILogHandler().flush()
