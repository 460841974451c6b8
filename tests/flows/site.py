"""Where a flow test builds: its own state folder and settings, one Prefect server for all.

`build` runs the flow in this process, `command` and `start` run the console script as a person
would.  Both see nothing of the settings of whoever runs the tests.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.lake.lake import Lake
from infra.lake.objects import StorageOptions
from tests.isolation import fresh_environment

if TYPE_CHECKING:
    from flows.closing import BuildSummary
    from flows.dedup import DedupSummary
    from flows.plan import Plan
    from flows.reparse import RereadSummary

TINY = ("source.n=6", "part_rows=3", "embedded_teacher.latency_ms=0")
"""The demo, small: 6 scenes in 2 parts, 24 questions."""

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""As a Ray worker has: the number of threads decides the last bit of a float in a depth map."""

COMMAND_TIMEOUT_S = 150


@dataclass(frozen=True)
class Site:
    """A folder with the state of its builds, and the Prefect API they report to.

    With an empty address a command starts its own server, as on a fresh machine.
    """

    folder: Path
    prefect_url: str

    def lake(self, name: str = "lake") -> Lake:
        return Lake(self.folder / name, StorageOptions())

    def build(
        self,
        *overrides: str,
        recipe: str = "demo",
        lake: str = "lake",
        pilot: str | None = None,
        **settings: Any,
    ) -> "BuildSummary":
        """Build in this process, with workers in threads; `settings` are names without prefix."""
        import torch

        from flows.visreason import visreason

        torch.set_num_threads(1)
        uri = lake if "://" in lake else str(self.folder / lake)
        with self.surroundings(uri, {"pool": "local"} | settings):
            return visreason(recipe=recipe, lake=uri, overrides=list(overrides), pilot=pilot)

    def reparse(self, *overrides: str, **settings: Any) -> "RereadSummary":
        """Read the replies of the demo again in this process."""
        from flows.reparse import reparse

        uri = str(self.folder / "lake")
        with self.surroundings(uri, settings):
            return reparse(recipe="demo", lake=uri, overrides=list(overrides))

    def dedup(self, *overrides: str, recipe: str | None = None, **settings: Any) -> "DedupSummary":
        """Deduplicate the lake in this process, with workers in threads."""
        from flows.dedup import dedup

        uri = str(self.folder / "lake")
        with self.surroundings(uri, {"pool": "local"} | settings):
            return dedup(lake=uri, recipe=recipe, overrides=list(overrides))

    def plan(self, *overrides: str, **settings: Any) -> "Plan":
        """Plan the demo in this process."""
        from flows.planning import plan_recipe

        uri = str(self.folder / "lake")
        with self.surroundings(uri, settings):
            return plan_recipe("demo", uri, overrides)

    @contextmanager
    def surroundings(self, uri: str, settings: Mapping[str, Any]) -> Iterator[None]:
        """Give this process the variables of a build."""
        environment = self.environment(uri, **settings)
        with pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(environment):
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            yield

    def environment(self, lake: str, **settings: Any) -> dict[str, str]:
        """Return the variables of a build."""
        own = {f"SIGHTLINE_{name.upper()}": str(value) for name, value in settings.items()}
        prefect = {"PREFECT_API_URL": self.prefect_url} if self.prefect_url else {}
        return fresh_environment(self.folder, lake) | ONE_THREAD | prefect | own

    def start(
        self, *arguments: str, lake: str = "lake", **settings: Any
    ) -> "subprocess.Popen[str]":
        """Start `sightline` with `arguments`."""
        return subprocess.Popen(
            ["sightline", *arguments],
            cwd=self.folder,
            env=self.environment(str(self.folder / lake), **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(
        self, *arguments: str, lake: str = "lake", **settings: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run `sightline` with `arguments` to its end."""
        return subprocess.run(
            ["sightline", *arguments],
            cwd=self.folder,
            env=self.environment(str(self.folder / lake), **settings),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
