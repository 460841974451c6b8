"""The reference pages, derived from the code that they describe.

`reference_pages()` returns page name → Markdown; `scripts/generate_reference.py` writes them and a
test compares them, so a page cannot drift from its source.  Recipe keys are in
`flows.reference_recipe`, because they come from docstrings.
"""

from typing import Any

import typer.main
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from typer.core import TyperArgument, TyperGroup, TyperOption

from flows.cli import app
from flows.markdown import NOTE, grid
from flows.reference_recipe import recipe_page
from infra.settings import PREFIX, Settings
from sightline.errors import FAILURE_DOCS
from sightline.reader import sql_files
from sightline.schemas import CONTRACTS, PROVENANCE, Contract

SQL_FOLDERS = {
    "views": "Views: `select` from them like from tables",
    "macros": "Macros: functions for any query",
    "queries": "Queries: `sightline sql -f sql/queries/<name>.sql`",
    "checks": "Checks: `sightline check` runs them all",
}


def reference_pages() -> dict[str, str]:
    """Return every generated page by file name."""
    return {
        "tables.md": _tables(),
        "sql.md": _sql(),
        "recipes.md": recipe_page(),
        "settings.md": _settings(),
        "commands.md": _commands(),
        "failure-codes.md": _failure_codes(),
    }


def _tables() -> str:
    intro = (
        "# Tables\n\nEvery table is a Delta table in `tables/<name>_v<version>` of the lake; "
        "`open_lake(uri)` and `sightline sql` give it under its plain name. Within a version only "
        "nullable columns are added. Every row also carries these columns:\n\n"
    )
    shared = [[f"`{f.name}`", str(f.type), f.metadata[b"doc"].decode()] for f in PROVENANCE]
    names = ", ".join(f"[{name}](#{name})" for name in CONTRACTS)
    parts = [NOTE, intro, grid(["column", "type", "meaning"], shared), f"\n{names}\n"]
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
        + grid(["column", "type", "null", "unit, range or set", "meaning"], rows)
    )


def _sql() -> str:
    text = NOTE + "# Views, macros, queries and checks\n\nAll of `sql/`; read the files for more.\n"
    for folder, title in SQL_FOLDERS.items():
        rows = []
        for file in sql_files(folder):
            lines = file.read_text(encoding="utf-8").splitlines()
            rows.append([f"`{file.name.removesuffix('.sql')}`", _purpose(lines)])
        text += f"\n## {title}\n\n" + grid(["name", "what it gives"], rows)
    return text


def _purpose(lines: list[str]) -> str:
    """Return the first statement of a file's header comment, without its label."""
    said = lines[0].removeprefix("--").strip()
    label, colon, rest = said.partition(": ")
    said = rest if colon and " " not in label else said
    return said[:1].upper() + said[1:]


def _failure_codes() -> str:
    intro = (
        "# Failure codes\n\nA row that a step cannot use becomes a row of `failures` with one of "
        "these codes. Codes are only ever added.\n\n"
    )
    rows = [[f"`{code.value}`", text] for code, text in FAILURE_DOCS.items()]
    return NOTE + intro + grid(["code", "meaning"], rows)


def _settings() -> str:
    intro = (
        "# Settings\n\nSettings say where and how fast a recipe runs; they never change its "
        "output. They come from variables of the environment, or from a file `.env` in the "
        "working directory; the first name that is set counts, and an empty one counts as not "
        "set. A variable that begins with `SIGHTLINE_` and is not listed here is refused.\n\n"
    )
    rows = [
        [", ".join(f"`{v}`" for v in _variables(name, field)), _setting(field), _meaning(field)]
        for name, field in Settings.model_fields.items()
    ]
    return NOTE + intro + grid(["variables", "default", "meaning"], rows)


def _variables(name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [PREFIX + name.upper()]
    return [str(choice) for choice in choices]


def _setting(field: FieldInfo) -> str:
    if field.default is None or isinstance(field.default, SecretStr):
        return ""
    shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{shown:g}`" if isinstance(shown, float) else f"`{shown}`"


def _meaning(field: FieldInfo) -> str:
    """Return the description; a secret is marked as one, and its value is shown nowhere."""
    secret = " Secret: no log or error shows it." if "SecretStr" in str(field.annotation) else ""
    return (field.description or "") + secret


def _commands() -> str:
    command = typer.main.get_command(app)
    intro = (
        "# Commands\n\nExit codes: 0 done, 1 the job ran and found problems, 2 wrong usage or "
        "input. Every command has `--help`.\n"
    )
    return NOTE + intro + _command(command, ("sightline",))


def _command(command: Any, path: tuple[str, ...]) -> str:
    """Return the section of one command; a group gives those of its commands."""
    if isinstance(command, TyperGroup):
        return "".join(_command(sub, (*path, name)) for name, sub in command.commands.items())
    arguments = [p for p in command.params if isinstance(p, TyperArgument)]
    options = [p for p in command.params if isinstance(p, TyperOption)]
    usage = " ".join([*path, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])])
    rows = [[f"`{', '.join(o.opts)}`", _default(o.default), o.help or ""] for o in options]
    table = "\n" + grid(["option", "default", "meaning"], rows) if rows else ""
    help_text, _, example = (command.help or "").strip().partition("Example: ")
    shown = f"\n```text\n{example.strip()}\n```\n" if example else ""
    return (
        f"\n## {' '.join(path)}\n\n{help_text.strip()}\n\n"
        f"Usage: `{usage}`. Example:\n{shown}{table}"
    )


def _argument(argument: TyperArgument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _default(value: Any) -> str:
    return "" if value is None or callable(value) or value == () else f"`{value}`"
