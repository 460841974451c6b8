"""The reference pages, derived from the code that they describe.

`reference_pages()` returns page name → Markdown; `scripts/generate_reference.py` writes them and a
test compares them, so a page cannot drift from its source.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import typer.main
from typer.core import TyperArgument, TyperGroup, TyperOption

from flows.cli import app
from infra.settings import Settings
from sightline.errors import FAILURE_DOCS
from sightline.schemas import CONTRACTS, PROVENANCE, Contract

_NOTE = "<!-- Written by scripts/generate_reference.py; edit the source instead. -->\n\n"


def reference_pages() -> dict[str, str]:
    """Return every generated page by file name."""
    return {
        "tables.md": _tables(),
        "failure-codes.md": _failure_codes(),
        "settings.md": _settings(),
        "commands.md": _commands(),
    }


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def _tables() -> str:
    intro = (
        "# Tables\n\nEvery table is a Delta table under `tables/<name>_v<version>` of the lake; "
        "`open_lake(uri)` gives it under its plain name. Every row also carries these columns.\n\n"
    )
    shared = [[f"`{f.name}`", str(f.type), f.metadata[b"doc"].decode()] for f in PROVENANCE]
    parts = [_NOTE, intro, _grid(["column of every table", "type", "meaning"], shared)]
    parts += [_table(contract) for contract in CONTRACTS.values()]
    return "".join(parts)


def _table(contract: Contract) -> str:
    rows = [
        [
            f"`{field.name}`",
            str(field.type).replace("element", "item"),
            "yes" if field.nullable else "",
            field.metadata.get(b"unit", b"").decode(),
            field.metadata[b"doc"].decode(),
        ]
        for field in contract.payload
    ]
    key = ", ".join(f"`{name}`" for name in contract.key)
    return (
        f"\n## {contract.name}\n\nOne row per {contract.grain.removeprefix('one ')}. Key: {key}. "
        f"Stored in `{contract.path}`.\n\n"
        + _grid(["column", "type", "null", "unit, range or set", "meaning"], rows)
    )


def _failure_codes() -> str:
    intro = (
        "# Failure codes\n\nA row that a step cannot use becomes a row of `failures` with one of "
        "these codes. Codes are only ever added.\n\n"
    )
    rows = [[f"`{code.value}`", text] for code, text in FAILURE_DOCS.items()]
    return _NOTE + intro + _grid(["code", "meaning"], rows)


def _settings() -> str:
    intro = (
        "# Settings\n\nSettings say where and how fast a recipe runs; they never change its "
        "output. They are read from the environment, or from a file `.env` in the working "
        "directory.\n\n"
    )
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        rows.append([f"`SIGHTLINE_{name.upper()}`", default, field.description or ""])
    return _NOTE + intro + _grid(["variable", "default", "meaning"], rows)


def _commands() -> str:
    command = typer.main.get_command(app)
    text = [_NOTE, "# Commands\n\nExit codes: 0 done, 1 problems found, 2 wrong usage or input.\n"]
    text += [_command(command, ("sightline",))]
    return "".join(text)


def _command(command: Any, path: tuple[str, ...]) -> str:
    """Return the section of one command; a group gives those of its commands."""
    if isinstance(command, TyperGroup):
        return "".join(_command(sub, (*path, name)) for name, sub in command.commands.items())
    arguments = [p for p in command.params if isinstance(p, TyperArgument)]
    options = [p for p in command.params if isinstance(p, TyperOption)]
    usage = " ".join([*path, *((a.metavar or (a.name or "").upper()) for a in arguments)])
    rows = [[f"`{', '.join(o.opts)}`", _default(o.default), o.help or ""] for o in options]
    table = "\n" + _grid(["option", "default", "meaning"], rows) if rows else ""
    help_text = (command.help or "").strip()
    return f"\n## `{' '.join(path)}`\n\n```text\n{usage}\n```\n\n{help_text}\n{table}"


def _default(value: Any) -> str:
    return "" if value is None or callable(value) or value == () else f"`{value}`"
