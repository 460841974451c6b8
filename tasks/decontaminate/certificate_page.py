"""A certificate as a page for people, in Markdown: the outcome first, then how it came about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tasks.decontaminate.certificate import Certificate
from tasks.decontaminate.rules import RULE_DOCS, Rule

INTRODUCTION: Final = (
    "What a dataset was compared with, by which rules, what was found, and what could not be "
    "compared. Two certificates with one hash certify the same, wherever and whenever made."
)
COUNTS: Final[Mapping[str, str]] = {
    "compared": "compared",
    "without_text": "without text",
    "without_picture": "without a stored picture",
    "without_views": "not looked at for crops and mirror pictures",
    "flat": "without structure (blank, one colour): compared by their pixels only",
    "too_short_for_runs": "of fewer than 8 words: compared as a whole only",
    "only_templates_shared": "that share nothing but templates with the benchmark",
    "items_with_problems": "items of which something could not be read",
    "items_without_text_and_picture": "items without any text or picture: not compared",
    "pictures_not_there": "pictures named but not there: compared by their file names only",
    "questions_too_short": "questions of fewer than 4 words: compared with a picture only",
    "texts_of_templates_only": "texts made of templates only: compared with a picture only",
}
"""What is counted, in words."""
SHOWN_TEMPLATES: Final = 5
SHOWN_OPEN: Final = 5
SHOWN_HASH: Final = 16


def page(certificate: Certificate) -> str:
    """Return the certificate as Markdown."""
    content, beside = certificate.content, certificate.beside
    sections = [
        f"# Decontamination certificate: {content['release']}",
        INTRODUCTION,
        f"sha256 of the content: `{certificate.sha256}`",
        _forgotten(beside.get("forgotten", [])),
        *_verdict(content),
        "## Benchmarks",
        _benchmarks(content["benchmarks"]),
        *(section for b in content["benchmarks"] for section in _benchmark(b)),
        "## Dataset",
        _table(
            ["dataset", "samples", "images", "samples with an accepted trace"],
            [
                [d["dataset"], d["samples"], d["images"], d["accepted_samples"]]
                for d in content["datasets"]
            ],
        ),
        "Tables of the lake that decide what is released:",
        _table(
            ["table", "rows", "parts", "hash of the content", "Delta version"],
            [
                [name, t["rows"], t["parts"], t["content"][:SHOWN_HASH], _known(beside, name)]
                for name, t in content["tables"].items()
            ],
        ),
        f"Address when this was written: `{beside['lake']}`",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _forgotten(gone: Sequence[Mapping[str, str]]) -> str:
    """Return what is said of benchmarks that the lake no longer knows."""
    if not gone:
        return ""
    names = ", ".join(f"{b['name']} {b['version']}" for b in gone)
    return f"**The lake has forgotten since: {names}.** What is certified held when it was made."


def _verdict(content: Mapping[str, Any]) -> list[str]:
    outcome, benchmarks = content["outcome"], content["benchmarks"]
    n_open = sum(len(b["open"]) for b in benchmarks)
    if not benchmarks:
        state = "Nothing was compared: the lake knows no benchmark."
    elif n_open:
        state = f"Not complete: {n_open} parts of the lake were not compared; they are named below."
    else:
        state = "Complete: every part of the lake was compared with every benchmark below."
    dropped, waiting = outcome["samples_dropped"], outcome["samples_under_review"]
    right, among = outcome["accepted_but_dropped"], outcome["accepted_under_review"]
    lines = [
        f"{outcome['accepted_samples']} samples have accepted traces.",
        f"{dropped} are left out because a benchmark holds them; traces of {right} were right.",
        f"{waiting} others match by a rule and wait for a person; {among} of them are accepted.",
    ]
    unread = sum(b["not_compared"].get("items_with_problems", 0) for b in benchmarks)
    if unread:
        lines.append(f"{unread} items of the benchmarks could not be read in full.")
    return [f"**{state}**", "\n".join(f"- {line}" for line in lines)]


def _benchmarks(benchmarks: Sequence[Mapping[str, Any]]) -> str:
    return _table(
        ["name", "version", "items", "texts", "images", "sha256 of the content"],
        [
            [b["name"], b["version"], b["items"], b["texts"], b["images"], b["content_sha"]]
            for b in benchmarks
        ],
    )


def _benchmark(benchmark: Mapping[str, Any]) -> list[str]:
    rules = [
        [
            name,
            RULE_DOCS[Rule(name)],
            "" if rule["value"] is None else f"{rule['value']:g}",
            rule["decision"],
            rule["matches"],
        ]
        for name, rule in benchmark["rules"].items()
    ]
    not_applied = ", ".join(benchmark["rules_not_applied"]) or "none"
    algorithms = ", ".join(f"{kind}: {name}" for kind, name in benchmark["algorithms"].items())
    return [
        f"### {benchmark['name']} {benchmark['version']}",
        _table(["rule", "matches if", "threshold", "what follows", "matches of ours"], rules),
        f"Rules not applied: {not_applied}. Algorithms: {algorithms}.",
        "What was compared, and what could not be:",
        _table(["of", "how many", "what"], _counts(benchmark)),
        _open(benchmark["open"]),
        _templates(benchmark["templates"]),
    ]


def _counts(benchmark: Mapping[str, Any]) -> list[list[Any]]:
    """Return what was counted; zeros only where they say that all was compared."""
    rows = [
        [f"our {kind}", count, COUNTS.get(name, name)]
        for kind, counts in benchmark["compared"].items()
        for name, count in counts.items()
        if count or name == "compared"
    ]
    rows += [
        ["the benchmark", count, COUNTS.get(name, name)]
        for name, count in benchmark["not_compared"].items()
        if count
    ]
    return rows


def _open(parts: Sequence[str]) -> str:
    if not parts:
        return ""
    more = f" and {len(parts) - SHOWN_OPEN} more" if len(parts) > SHOWN_OPEN else ""
    return f"**Not compared**, since they came or changed: {', '.join(parts[:SHOWN_OPEN])}{more}."


def _templates(templates: Mapping[str, Any]) -> str:
    """Return the runs that stand in so many items that they match nothing."""
    rows = [
        [name, template["items"], template["text"]]
        for name, found in templates.items()
        for template in found["most_frequent"][:SHOWN_TEMPLATES]
    ]
    if not rows:
        return ""
    counts = ", ".join(f"{found['count']} of {name}" for name, found in templates.items())
    table = _table(["runs of", "items of the benchmark", "text"], rows)
    return f"Templates, which match nothing ({counts}); the most frequent:\n\n{table}"


def _known(beside: Mapping[str, Any], name: str) -> str:
    version = beside["versions"][name]
    return "not written" if version is None else str(version)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").replace("`", "'").split())
