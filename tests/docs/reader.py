"""Does what a page says, in order, like a reader in a fresh clone.

The reader has a folder with links to the clone's files, an environment of their own, and a shell
whose variables and folder carry over from block to block.  Ports that pages name are replaced by
free ones.  What was started in the background ends with the page.
"""

import contextlib
import math
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from tests.docs.pages import Block

CLONE = (".venv", "docs", "infra", "prefect.toml", "prefect.yaml", "recipes", "sql")
BLOCK_S = 120
START_S = 90
STOP_S = 10


class DocsError(AssertionError):
    """A page promises something that does not happen."""


@dataclass
class Reader:
    """Where a page is followed.

    Attributes:
        folder: working folder.
        environment: variables before the first block.
        replacements: words of the page to what they are in this test.
    """

    folder: Path
    environment: dict[str, str]
    replacements: Mapping[str, str]
    output: str = ""
    _background: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @classmethod
    def in_clone(
        cls, folder: Path, root: Path, environment: dict[str, str], replacements: Mapping[str, str]
    ) -> "Reader":
        folder.mkdir(parents=True, exist_ok=True)
        for name in CLONE:
            (folder / name).symlink_to(root / name)
        return cls(folder, environment, replacements)

    def follow(self, block: Block) -> None:
        """Execute a block and compare what it prints with what the page says it prints."""
        word, _, rest = block.directive.partition(" ")
        text = self._replaced(block.text)
        if word == "background":
            self._start(block, text, self._replaced(rest.removeprefix("until ")))
            return
        code, self.output = self._run(block, text)
        expected = int(rest) if word == "exit" else 0
        if code != expected:
            msg = f"{block.place} ended with {code}, not {expected}:\n{text}\n---\n{self.output}"
            raise DocsError(msg)
        if block.output is not None:
            slack = float(rest.removesuffix("%")) / 100 if word == "within" else 0.0
            compare(block, self._replaced(block.output), self.output, slack)

    def close(self) -> None:
        for process in reversed(self._background):
            _end(process)

    def _replaced(self, text: str) -> str:
        for word, value in self.replacements.items():
            text = re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w)", lambda _, v=value: v, text)
        return text

    def _run(self, block: Block, text: str) -> tuple[int, str]:
        process = self._shell(block, text, subprocess.PIPE)
        try:
            output, _ = process.communicate(timeout=BLOCK_S)
        except subprocess.TimeoutExpired as exc:
            _end(process)
            msg = f"{block.place} takes more than {BLOCK_S} s:\n{text}"
            raise DocsError(msg) from exc
        return process.returncode, output.decode(errors="replace")

    def _shell(self, block: Block, text: str, stdout: int) -> "subprocess.Popen[bytes]":
        """Start a block; the state of the shell before it is read, and left for the next."""
        state = self.folder / ".shell"
        source = self.folder / f".block.{'sql' if block.language == 'sql' else 'py'}"
        if block.language == "bash":
            body = text
        else:
            source.write_text(text + "\n", encoding="utf-8")
            body = f"sightline sql -f {source}" if block.language == "sql" else f"python {source}"
        script = f"set -eo pipefail\n[ -f {state} ] && . {state}\n{body}\n"
        script += f"{{ export -p; echo cd \"'$PWD'\"; }} > {state}\n"
        return subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _start(self, block: Block, text: str, sign: str) -> None:
        log = self.folder / f".background-{len(self._background)}"
        with log.open("wb") as out:
            process = self._shell(block, f"exec {text}", out.fileno())
        self._background.append(process)
        deadline = time.monotonic() + START_S
        while not _is_ready(sign, log):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")
                msg = f"{block.place} is not ready ({sign!r} did not come):\n{text}\n---\n{said}"
                raise DocsError(msg)
            time.sleep(0.1)


def compare(block: Block, promised: str, printed: str, slack: float = 0.0) -> None:
    """Check that the promised lines are printed in their order, however wide the spaces are.

    `...` alone stands for any lines, `...` inside a line for any text.  Numbers may differ by the
    share `slack`: what a network says depends in its last digits on the machine.
    """
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    at = 0
    for line in promised.splitlines():
        wanted = " ".join(line.split())
        if wanted in {"", "..."}:
            continue
        found = next((n for n in range(at, len(lines)) if _fits(wanted, lines[n], slack)), None)
        if found is None:
            msg = f"{block.place} promises, but does not print:\n{wanted}\n---\n{printed}"
            raise DocsError(msg)
        at = found + 1


def _fits(wanted: str, line: str, slack: float) -> bool:
    if re.fullmatch(".*".join(re.escape(piece) for piece in wanted.split("...")), line):
        return True
    words, found = wanted.split(), line.split()
    return (
        bool(slack) and len(words) == len(found) and all(map(_close, words, found, repeat(slack)))
    )


def _close(wanted: str, found: str, slack: float) -> bool:
    try:
        return math.isclose(float(wanted), float(found), rel_tol=slack)
    except ValueError:
        return wanted == found


def _is_ready(sign: str, log: Path) -> bool:
    if not sign.startswith("http"):
        return sign in log.read_text(errors="replace")
    try:
        with urllib.request.urlopen(sign, timeout=2):  # noqa: S310 - http, of a page here
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
            return
