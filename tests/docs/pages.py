"""Reads the executable blocks out of a Markdown page.

A fenced block of bash, python or sql is executed.  A text block right after one, with nothing
between, is its output.  A comment `<!-- test: WORD ... -->` right before a block says more:

    background until TEXT   start it, go on once it printed TEXT or, for a URL, once it answers
    exit N                  it ends with this code
    within N%               numbers of the output may differ by so much

and anywhere in a page, on a line of its own:

    lake demo               the page's lake is (a copy of) the demo's
    ray                     builds of this page use a local Ray; other pages use threads
"""

import re
from dataclasses import dataclass
from pathlib import Path

EXECUTED = frozenset({"bash", "python", "sql"})
FENCE = re.compile(r"^( *)```(\w*)\s*$")
DIRECTIVE = re.compile(r"^\s*<!-- test: (.+?) -->\s*$")
PAGE_WORDS = frozenset({"lake", "ray"})


@dataclass(frozen=True)
class Block:
    """One fenced block; `output` is what the page says it prints."""

    page: str
    line: int
    language: str
    text: str
    directive: str = ""
    output: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """A Markdown file: its blocks in order, and what it asks of its test."""

    path: Path
    name: str
    blocks: tuple[Block, ...]
    wishes: frozenset[str]

    @property
    def executed(self) -> tuple[Block, ...]:
        return tuple(b for b in self.blocks if b.language in EXECUTED)


def read_page(root: Path, path: Path) -> Page:
    name = path.relative_to(root).as_posix()
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [m[1] for m in map(DIRECTIVE.match, lines) if m]
    wishes = frozenset(text for text in found if text.split()[0] in PAGE_WORDS)
    return Page(path, name, tuple(_with_output(_blocks(name, lines), lines)), wishes)


def _blocks(name: str, lines: list[str]) -> list[Block]:
    blocks: list[Block] = []
    start: int | None = None
    indent, language = "", ""
    for number, line in enumerate(lines):
        fence = FENCE.match(line)
        if fence and start is None:
            start, indent, language = number, fence[1], fence[2]
        elif fence and start is not None:
            body = "\n".join(text.removeprefix(indent) for text in lines[start + 1 : number])
            before = DIRECTIVE.match(lines[start - 1]) if start else None
            said = before[1] if before and before[1].split()[0] not in PAGE_WORDS else ""
            blocks.append(Block(name, start + 1, language, body, said))
            start = None
    assert start is None, f"{name}: the block that begins in line {start} does not end"
    return blocks


def _with_output(blocks: list[Block], lines: list[str]) -> list[Block]:
    """Join text blocks to the executed block that they follow with only blank lines between."""
    joined: list[Block] = []
    for block in blocks:
        last = joined[-1] if joined else None
        if last and last.language in EXECUTED and block.language == "text":
            end = last.line + last.text.count("\n") + 2
            if not any(line.strip() for line in lines[end : block.line - 1]):
                known = Block(*[getattr(last, f) for f in Block.__match_args__[:5]], block.text)
                joined[-1] = known
                continue
        joined.append(block)
    return joined
