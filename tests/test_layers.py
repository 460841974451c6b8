"""The import rules that cost users time when broken: who may need which heavy library.

Each test imports many modules in one fresh interpreter in which some libraries cannot be imported.
Who imports whom is the linter's business; here counts what importing a module brings along.
"""

import ast
import io
import subprocess
import sys
import tokenize
from collections.abc import Iterable
from pathlib import Path

import pytest

PACKAGES = ("sightline", "infra", "tasks", "flows")
MAX_TASK_LINES = 60

IMPORT_ALL = """
import importlib, sys

blocked, names = sys.argv[1].split(","), sys.argv[2].split(",")

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is behind the wall", name=name)

sys.meta_path.insert(0, Wall())
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as exc:
        print(name, "needs", exc.name)
"""

NETWORKS = (
    ("dedup.copies.model", "torch"), ("dedup.copies.worker", "torch"),
    ("dedup.semantic.model", "torch"), ("dedup.semantic.worker", "torch"),
    ("depth.model", "torch"), ("depth.worker", "torch"),
    ("detect.grounding_dino.model", "torch"), ("detect.owlv2.model", "torch"),
    ("detect.worker", "torch"),
    ("segment.model", "torch"), ("segment.promptable.model", "torch"),
    ("segment.universal.combine", "torch"), ("segment.universal.model", "torch"),
    ("segment.worker", "torch"),
    ("vision.attention", "torch"), ("vision.device", "torch"), ("vision.driven", "torch"),
    ("vision.loading", "transformers"),
    ("vision.pixels", "torch"), ("vision.resampling", "torch"), ("vision.runner", "torch"),
    ("vision.words", "transformers"),
)  # fmt: skip
"""Modules of `tasks` that only a worker imports, and the library that they miss first."""

BESIDE_THE_LAKE = (
    "task", "parse_task", "part_task", "live", "work", "worker", "model", "lake_items",
    "keys_task", "images_task", "chains_task", "inputs_task", "stored_texts",
    "stored_memory", "alike_items", "embedding_sources", "embeddings_task", "semantic_task",
    "calibrate_task",
)  # fmt: skip
"""Last names of modules in `tasks` that read the lake, wrap Prefect or hold a network."""


def modules(root: Path) -> list[str]:
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    parts = [file.relative_to(root).with_suffix("").parts for file in files]
    return [".".join(p for p in names if p != "__init__") for names in parts]


def needed(names: Iterable[str], blocked: Iterable[str], root: Path) -> list[str]:
    """Return a line per module that does not import without the blocked libraries."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, ",".join(blocked), ",".join(names)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


def is_pure(module: str) -> bool:
    layer, last = module.partition(".")[0], module.rpartition(".")[2]
    holds_network = module.partition(".")[2] in dict(NETWORKS)
    is_beside = last in BESIDE_THE_LAKE or holds_network
    return layer == "sightline" or (layer == "tasks" and not is_beside)


def code_lines(source: str) -> int:
    """Return how many lines hold code: neither blank, nor comment, nor docstring."""
    docstrings = {
        number
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    silent = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENDMARKER,
    }  # fmt: skip
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return len({t.start[0] for t in tokens if t.type not in silent} - docstrings)


def test_pure_modules_import_without_any_engine(repo_root: Path):
    names = [name for name in modules(repo_root) if is_pure(name)]
    assert len(names) > 60
    heavy = ("prefect", "ray", "torch", "transformers", "openai", "boto3")
    assert needed(names, heavy, repo_root) == []


def test_driver_imports_without_torch(repo_root: Path):
    """Networks live on workers; only modules named by dotted path for a worker may need torch."""
    found = needed(modules(repo_root), ("torch", "transformers"), repo_root)
    assert sorted(found) == [f"tasks.{module} needs {library}" for module, library in NETWORKS]


def test_commands_import_before_prefect_does(repo_root: Path):
    """Prefect reads its address once, so what sets the address must come without it."""
    names = ["flows.cli", "flows.building", "flows.planning", "flows.inspection", "flows.serving"]
    assert needed(names, ("prefect", "ray", "torch"), repo_root) == []


def test_embedded_teacher_starts_without_any_engine(repo_root: Path):
    heavy = ("prefect", "ray", "torch", "openai", "boto3", "duckdb", "deltalake")
    assert needed(["infra.embedded_teacher.server"], heavy, repo_root) == []


@pytest.mark.parametrize(
    "family",
    [
        "decontaminate",
        "dedup",
        "depth",
        "depth_audit",
        "detect",
        "distill",
        "ground",
        "ingest",
        "review",
        "segment",
        "verify",
    ],
)
def test_task_file_is_thin(repo_root: Path, family: str):
    source = (repo_root / "tasks" / family / "task.py").read_text(encoding="utf-8")
    assert code_lines(source) <= MAX_TASK_LINES


def test_every_family_with_a_task_is_measured(repo_root: Path):
    families = sorted(file.parent.name for file in (repo_root / "tasks").glob("*/task.py"))
    expected = [
        "decontaminate", "dedup", "depth", "depth_audit", "detect", "distill", "ground", "ingest",
        "review", "segment", "verify",
    ]  # fmt: skip
    assert families == expected


def test_import_contracts_hold(repo_root: Path):
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=repo_root, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert " 0 broken" in done.stdout
