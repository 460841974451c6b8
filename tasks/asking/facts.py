"""Facts as prompts state them, and templates they are filled into.

Every fact stands on its own labelled line.  Questions, choices, answers and replies of other models
are untrusted: each becomes one line, so that none can forge a label, and a template is filled in
once, so that none is read as a template.
"""

import hashlib
import string
from collections.abc import Iterable, Sequence
from typing import Final

FACTS_MARK: Final = "{{facts}}"


def filled(template: str, lines: Iterable[str]) -> str:
    """Return `template` with the labelled lines in the place of its mark."""
    return template.replace(FACTS_MARK, "\n".join(lines), 1)


def prompt_id(template: str) -> str:
    """Return the sha256 of a template; a changed word is another prompt."""
    return hashlib.sha256(template.encode()).hexdigest()


def one_line(text: str) -> str:
    """Return `text` with every run of white space, line ends included, as one space."""
    return " ".join(text.split())


def question_lines(question: str | None, choices: Sequence[str]) -> list[str]:
    """Return the question and its lettered choices."""
    lines = [f"Question: {one_line(question or '')}"]
    return [*lines, f"Choices: {_lettered(choices)}"] if choices else lines


def _lettered(choices: Sequence[str]) -> str:
    letters = string.ascii_uppercase
    return " ".join(
        f"({letters[i] if i < len(letters) else i + 1}) {one_line(choice)}"
        for i, choice in enumerate(choices)
    )
