"""What a flow works with, opened from settings: lake, pool, ledger, teacher, catalog.

Workers and the teacher are started at first use, from whichever task needs them first: a build
that finds everything committed starts neither.  Closing ends everything that was started.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from flows.recipe import Recipe, TeacherChoice
from infra.catalog import Catalog
from infra.embedded_teacher import EMBEDDED_MODEL, EmbeddedTeacher
from infra.execution import RunContext
from infra.git import git_tree
from infra.lake import Lake
from infra.ledger import Ledger
from infra.pool import open_pool
from infra.settings import Settings
from infra.teacher import Teacher, TeacherConfig
from infra.telemetry import Progress
from infra.workers import Pool

T = TypeVar("T")


class Lazy(Generic[T]):
    """A resource that is opened by the first caller, once, whatever the thread."""

    def __init__(self, open_it: Callable[[], AbstractContextManager[T]], stack: ExitStack) -> None:
        self._open_it, self._stack = open_it, stack
        self._lock = threading.Lock()
        self._opened: list[T] = []

    def __call__(self) -> T:
        """Return the resource, opening it if nobody has."""
        with self._lock:
            if not self._opened:
                self._opened.append(self._stack.enter_context(self._open_it()))
            return self._opened[0]

    @property
    def is_open(self) -> bool:
        """Whether anybody asked for it."""
        return bool(self._opened)
