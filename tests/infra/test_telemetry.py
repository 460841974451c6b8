import io
import logging
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from infra.settings import load_settings
from infra.telemetry import (
    REDACTED,
    NullProgress,
    Progress,
    SecretFilter,
    StepCounts,
    configure_logging,
    terminal_progress,
)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def root_logging() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_counts_half_done_step_tells_rate_and_time_left():
    clock = Clock()
    counts = StepCounts(clock)
    for _ in range(4):
        counts.part_submitted("depth")
    clock.now = 110.0
    counts.part_done("depth", rows=30, failed=2)
    counts.part_done("depth", rows=20)
    assert counts.lines() == [
        ("depth", "2/4 parts", "50 rows", "5.0 rows/s", "2 failed", "", "10 s left")
    ]


def test_counts_reused_parts_do_not_flatter_rate_or_time_left():
    clock = Clock()
    counts = StepCounts(clock)
    for _ in range(3):
        counts.part_submitted("depth")
    counts.part_done("depth", rows=1000, reused=True)
    clock.now = 110.0
    counts.part_done("depth", rows=10)
    assert counts.lines() == [
        ("depth", "2/3 parts (1 reused)", "1010 rows", "1.0 rows/s", "", "", "10 s left")
    ]


def test_counts_time_left_is_known_within_the_first_part():
    clock = Clock()
    counts = StepCounts(clock)
    for _ in range(2):
        counts.part_submitted("distill")
    counts.part_begun("distill", rows=100)
    clock.now = 110.0
    counts.advance("distill", rows=50)
    assert counts.lines()[0][6] == "30 s left"  # 50 rows here, 100 in the part to come, 5 a second


def test_counts_show_what_is_watched_after_the_steps():
    counts = StepCounts(Clock())
    shown: list[tuple[str, ...] | None] = [None]
    counts.watch("teacher", lambda: shown[0])
    counts.part_submitted("distill")
    assert [line[0] for line in counts.lines()] == ["distill"]
    shown[0] = ("3 calls",)
    assert counts.lines()[1:] == [("teacher", "3 calls")]


def test_counts_rows_advanced_inside_a_part_count_once():
    counts = StepCounts(Clock())
    counts.part_submitted("distill")
    counts.advance("distill", rows=5, cost_usd=0.0123)
    assert counts.lines()[0][2] == "5 rows"
    counts.advance("distill", rows=3)
    counts.part_done("distill", rows=8)
    assert counts.lines()[0][1:3] == ("1/1 parts", "8 rows")
    assert counts.lines()[0][5] == "$0.0123"


def test_counts_from_many_threads_lose_nothing():
    counts = StepCounts()

    def work() -> None:
        for _ in range(500):
            counts.part_submitted("s")
            counts.part_done("s", rows=2)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.lines()[0][1:3] == ("4000/4000 parts", "8000 rows")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_terminal_progress_last_state_is_shown(*, is_terminal: bool):
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=is_terminal, width=120)
    with terminal_progress(load_settings(), console) as progress:
        progress.part_submitted("depth")
        progress.part_done("depth", rows=7)
    assert "1/1 parts" in shown.getvalue()
    assert "7 rows" in shown.getvalue()
    assert ("\x1b" in shown.getvalue()) is is_terminal


def test_terminal_progress_without_terminal_prints_a_line_only_when_it_changed():
    shown = io.StringIO()
    waited = threading.Event()
    with terminal_progress(load_settings(progress_every_s=0.02), Console(file=shown)) as progress:
        progress.part_submitted("depth")
        waited.wait(0.3)
        progress.part_done("depth", rows=7)
    assert [line.split()[1] for line in shown.getvalue().splitlines()] == ["0/1", "1/1"]


def test_null_progress_takes_everything():
    progress: Progress = NullProgress()
    progress.part_submitted("s")
    progress.part_begun("s", rows=1)
    progress.advance("s", rows=1)
    progress.part_done("s", rows=1)


def test_secret_filter_message_arguments_and_traceback_are_cleaned():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "key %s", ("sk-longsecret",), None)
    try:
        raise ValueError("sk-longsecret")  # noqa: EM101, TRY301
    except ValueError as exc:
        record.exc_info = (type(exc), exc, exc.__traceback__)
    assert SecretFilter(["sk-longsecret", "x"]).filter(record)
    text = logging.Formatter().format(record)
    assert "sk-longsecret" not in text
    assert text.startswith(f"key {REDACTED}\nTraceback")


@pytest.mark.usefixtures("root_logging")
def test_configure_logging_child_loggers_show_no_secret():
    shown = io.StringIO()
    logging.getLogger().addHandler(logging.StreamHandler(shown))
    configure_logging(load_settings(teacher_api_key="sk-longsecret"))
    configure_logging(load_settings(teacher_api_key="sk-longsecret"))
    logging.getLogger("somebody.elses").warning("sent %s", "sk-longsecret")
    assert shown.getvalue() == f"sent {REDACTED}\n"
