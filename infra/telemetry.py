"""What a person sees while a build runs, and log lines without secrets.

`Progress` is told about parts and rows from any thread; on a terminal it is one live line per
step, elsewhere a plain line per step every few seconds.  Reused parts count as done but not
towards rows per second or the time left, which would otherwise look far too good.  The time left
counts rows, and takes a part that has not begun for one like those that have.  Everything goes to
stderr: stdout belongs to results.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from infra.settings import Settings

REDACTED = "[secret]"
MIN_SECRET_CHARS = 6
"""Shorter values, such as the `x` that local endpoints want, would blot out ordinary text."""


class Progress(Protocol):
    """Is told what happens; safe to call from any thread."""

    def part_submitted(self, step: str) -> None:
        """Count one more part that `step` will do."""
        ...

    def part_begun(self, step: str, *, rows: int) -> None:
        """Count the `rows` input rows of a part that is computed from now on."""
        ...

    def part_done(self, step: str, *, rows: int, failed: int = 0, reused: bool = False) -> None:
        """Count a finished part of `rows` input rows, whether computed or found committed."""
        ...

    def advance(self, step: str, *, rows: int = 0, failed: int = 0, cost_usd: float = 0.0) -> None:
        """Count rows inside a part that is not finished; `part_done` counts them no second time."""
        ...


class NullProgress:
    """Shows nothing."""

    def part_submitted(self, step: str) -> None:
        """Ignore it."""

    def part_begun(self, step: str, *, rows: int) -> None:
        """Ignore it."""

    def part_done(self, step: str, *, rows: int, failed: int = 0, reused: bool = False) -> None:
        """Ignore it."""

    def advance(self, step: str, *, rows: int = 0, failed: int = 0, cost_usd: float = 0.0) -> None:
        """Ignore it."""


@dataclass(slots=True)
class StepCount:
    """The counts of one step so far."""

    started: float
    parts: int = 0
    begun: int = 0
    done: int = 0
    reused: int = 0
    rows_of_begun_parts: int = 0
    reused_rows: int = 0
    rows_of_done_parts: int = 0
    rows_advanced: int = 0
    failed_of_done_parts: int = 0
    failed_advanced: int = 0
    cost_usd: float = 0.0
    ended: float | None = None

    @property
    def computed_rows(self) -> int:
        """Return rows worked on in this run; a part's own count and its advances are one."""
        return max(self.rows_of_done_parts, self.rows_advanced)

    @property
    def failed(self) -> int:
        """Return rows that gave no output."""
        return max(self.failed_of_done_parts, self.failed_advanced)

    def rows_per_s(self, now: float) -> float:
        """Return the rate of computed rows."""
        seconds = (self.ended or now) - self.started
        return self.computed_rows / seconds if seconds > 0 else 0.0

    def left_s(self, now: float) -> float | None:
        """Return the seconds that the remaining rows take; null while nothing tells."""
        rate = self.rows_per_s(now)
        computed = self.done - self.reused
        begun = max(self.begun, computed)
        if rate <= 0 or begun <= 0 or self.done >= self.parts:
            return None
        known = max(self.rows_of_begun_parts, self.rows_of_done_parts)
        unknown = (self.parts - self.reused - begun) * known / begun
        return max(0.0, known + unknown - self.computed_rows) / rate

    def cells(self, now: float) -> tuple[str, ...]:
        """Return the figures as text, in the order of `COLUMNS`."""
        left = self.left_s(now)
        return (
            f"{self.done}/{self.parts} parts" + (f" ({self.reused} reused)" if self.reused else ""),
            f"{self.computed_rows + self.reused_rows} rows",
            f"{self.rows_per_s(now):.1f} rows/s" if self.computed_rows else "",
            f"{self.failed} failed" if self.failed else "",
            f"${self.cost_usd:.4f}" if self.cost_usd else "",
            f"{left:.0f} s left" if left is not None else "",
        )


COLUMNS = 7
"""The step's name and the cells of `StepCount`."""

Cells = Callable[[], tuple[str, ...] | None]
"""Gives the figures of a line, at most `COLUMNS` less its name; null while there are none."""


@dataclass(slots=True)
class StepCounts:
    """`Progress` that only counts; what the terminal shows is read from it."""

    clock: Callable[[], float] = time.monotonic
    _steps: dict[str, StepCount] = field(default_factory=dict)
    _watched: dict[str, Cells] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def part_submitted(self, step: str) -> None:
        """Count one more part that `step` will do."""
        with self._lock:
            self._of(step).parts += 1

    def part_begun(self, step: str, *, rows: int) -> None:
        """Count the rows of a part that is computed from now on."""
        with self._lock:
            count = self._of(step)
            count.begun += 1
            count.rows_of_begun_parts += rows

    def part_done(self, step: str, *, rows: int, failed: int = 0, reused: bool = False) -> None:
        """Count a finished part of `rows` input rows."""
        with self._lock:
            count = self._of(step)
            count.done += 1
            count.parts = max(count.parts, count.done)
            count.failed_of_done_parts += failed
            if reused:
                count.reused += 1
                count.reused_rows += rows
            else:
                count.rows_of_done_parts += rows
            count.ended = self.clock() if count.done == count.parts else None

    def advance(self, step: str, *, rows: int = 0, failed: int = 0, cost_usd: float = 0.0) -> None:
        """Count rows inside a part that is not finished."""
        with self._lock:
            count = self._of(step)
            count.rows_advanced += rows
            count.failed_advanced += failed
            count.cost_usd += cost_usd

    def watch(self, name: str, cells: Cells) -> None:
        """Show a line `name` from now on, with whatever `cells` gives when it is asked."""
        with self._lock:
            self._watched[name] = cells

    def lines(self) -> list[tuple[str, ...]]:
        """Return the name and the figures of every step, in the order they were first heard of.

        What is watched comes last.
        """
        now = self.clock()
        with self._lock:
            steps = [(name, *count.cells(now)) for name, count in self._steps.items()]
            watched = dict(self._watched)
        given = [(name, cells()) for name, cells in watched.items()]
        return steps + [(name, *figures) for name, figures in given if figures is not None]

    def _of(self, step: str) -> StepCount:
        if step not in self._steps:
            self._steps[step] = StepCount(self.clock())
        return self._steps[step]


@contextmanager
def terminal_progress(settings: Settings, console: Console | None = None) -> Iterator[StepCounts]:
    """Give a `Progress` that is shown on stderr until the block ends."""
    counts = StepCounts()
    shown = console or Console(stderr=True)
    if shown.is_terminal:
        with Live(console=shown, get_renderable=lambda: _grid(counts), refresh_per_second=4):
            yield counts
        return
    with _printed_every(settings.progress_every_s, counts, shown):
        yield counts


@contextmanager
def _printed_every(seconds: float, counts: StepCounts, console: Console) -> Iterator[None]:
    """Print the lines that changed, every `seconds` and once at the end."""
    printed: set[tuple[str, ...]] = set()
    over = threading.Event()

    def print_changes() -> None:
        for line in counts.lines():
            if line[:3] not in printed:
                printed.add(line[:3])
                text = "  ".join(cell for cell in line if cell)
                console.print(text, markup=False, highlight=False, soft_wrap=True)

    def keep_printing() -> None:
        while not over.wait(seconds):
            print_changes()

    printer = threading.Thread(target=keep_printing, name="progress", daemon=True)
    printer.start()
    try:
        yield
    finally:
        over.set()
        printer.join(seconds)
        print_changes()


def _grid(counts: StepCounts) -> Table:
    grid = Table.grid(padding=(0, 2))
    for position in range(COLUMNS):
        grid.add_column(justify="left" if position == 0 else "right", no_wrap=True)
    for name, *figures in counts.lines():
        grid.add_row(f"[bold]{name}[/bold]", *map(escape, figures))
    return grid


class SecretFilter(logging.Filter):
    """Takes secret values out of messages and tracebacks."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the values to hide; those under `MIN_SECRET_CHARS` characters are left out."""
        super().__init__()
        long_enough = {secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS}
        self._secrets = sorted(long_enough, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite `record` and let it pass."""
        record.msg = self.clean(record.getMessage())
        record.args = ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        return True

    def clean(self, text: str) -> str:
        """Return `text` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text


def configure_logging(settings: Settings) -> None:
    """Log to stderr from `settings.log_level` on; no handler of this process shows a secret.

    Call it again after a library, such as Prefect, has set up handlers of its own: a filter on a
    logger would not see the records of its children, so the handlers are what is filtered.
    """
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handler.setLevel(settings.log_level)
        root.addHandler(handler)
    root.setLevel(settings.log_level)
    hide = SecretFilter(settings.secrets)
    for each in _handlers():
        for old in [f for f in each.filters if isinstance(f, SecretFilter)]:
            each.removeFilter(old)
        each.addFilter(hide)


def _handlers() -> list[logging.Handler]:
    loggers = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    return [handler for logger in [logging.getLogger(), *loggers] for handler in logger.handlers]
