"""A certificate: what a lake was compared with, by which rules, what was found, and what was not.

`content` is all that is certified; its canonical JSON is what `sha256` hashes, so two certificates
with one hash certify the same.  It holds no time, no place and no version number of a table: those
are in `beside`, which says where the lake lay and may differ.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sightline.ids import canonical_json
from tasks.decontaminate.rules import RULE_DOCS, Rule

FORMAT: Final = "sightline-decontamination-certificate/1"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is certified, and what stands beside it.

    Attributes:
        content: JSON values only; see `flows.certificate`.
        beside: lake address and Delta version of every table; later also the benchmarks that the
            lake has forgotten since.
    """

    content: Mapping[str, Any]
    beside: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Return the hash of the canonical content, 64 hex characters."""
        return hashlib.sha256(canonical_json(dict(self.content)).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the certificate as JSON for programs."""
        whole = {
            "format": FORMAT,
            "sha256": self.sha256,
            "content": dict(self.content),
            "beside": dict(self.beside),
        }
        return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def markdown(self) -> str:
        """Return the certificate for people."""
        content = self.content
        sections = [
            f"# Decontamination certificate: {content['release']}",
            f"sha256 of the content: `{self.sha256}`",
            *_forgotten(self.beside.get("forgotten", [])),
            *_verdict(content),
            "## Benchmarks",
            _benchmarks(content["benchmarks"]),
            *(section for b in content["benchmarks"] for section in _benchmark(b)),
            "## Lake",
            _table(
                ["dataset", "samples", "images", "accepted samples"],
                [
                    [d["dataset"], d["samples"], d["images"], d["accepted_samples"]]
                    for d in content["datasets"]
                ],
            ),
            _table(
                ["table", "rows", "parts", "content", "Delta version"],
                [
                    [name, t["rows"], t["parts"], t["content"][:16], self.beside["versions"][name]]
                    for name, t in content["tables"].items()
                ],
            ),
            f"Address: `{self.beside['lake']}`",
        ]
        return "\n\n".join(section for section in sections if section) + "\n"


def verified(text: str) -> bool:
    """Return whether the content of a JSON certificate has the hash that it states."""
    whole = json.loads(text)
    content = canonical_json(whole["content"])
    return bool(hashlib.sha256(content.encode()).hexdigest() == whole["sha256"])


def parts_hash(parts: Iterable[tuple[str, str, int]]) -> str:
    """Return one hash of (part, fingerprint, rows), whatever their order."""
    return hashlib.sha256(canonical_json(sorted(parts)).encode()).hexdigest()


def _forgotten(gone: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what is said of benchmarks that the lake no longer knows."""
    if not gone:
        return []
    names = ", ".join(f"{b['name']} {b['version']}" for b in gone)
    return [f"**The lake has forgotten since: {names}.** What is certified held when it was made."]


def _verdict(content: Mapping[str, Any]) -> list[str]:
    outcome = content["outcome"]
    dropped = f"{outcome['samples_dropped']} samples, {outcome['accepted_but_dropped']}"
    open_ones = f"{outcome['samples_under_review']} samples, {outcome['accepted_under_review']}"
    lines = [
        f"- Dropped because a benchmark holds them: {dropped} of them with an accepted trace.",
        f"- Other matches, for a person to look at: {open_ones} of them with an accepted trace.",
        f"- With an accepted trace: {outcome['accepted_samples']} samples.",
    ]
    if not content["benchmarks"]:
        lines.append("- **Nothing was compared: the lake knows no benchmark.**")
    if not content["is_complete"]:
        lines.append("- **Not everything was compared; see below.**")
    return ["\n".join(lines)]


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
            "" if rule["value"] is None else rule["value"],
            rule["decision"],
            rule["matches"],
        ]
        for name, rule in benchmark["rules"].items()
    ]
    not_applied = ", ".join(benchmark["rules_not_applied"]) or "none"
    return [
        f"### {benchmark['name']} {benchmark['version']}",
        _table(["rule", "matches if", "threshold", "decision", "matching items"], rules),
        f"Rules not applied: {not_applied}. Algorithms: "
        + ", ".join(f"{k} {v}" for k, v in benchmark["algorithms"].items())
        + ".",
        "What was compared, and what could not be:",
        _table(["", "", "count"], _counts(benchmark)),
        _templates(benchmark["templates"]),
    ]


def _counts(benchmark: Mapping[str, Any]) -> list[list[Any]]:
    rows = [
        [kind, name.replace("_", " "), count]
        for kind, counts in benchmark["compared"].items()
        for name, count in counts.items()
    ]
    rows += [
        ["benchmark", name.replace("_", " "), count]
        for name, count in benchmark["not_compared"].items()
    ]
    rows.append(["lake", "parts not compared since they came or changed", len(benchmark["open"])])
    return rows


def _templates(templates: Mapping[str, Any]) -> str:
    """Return the runs that stand in so many items that they match nothing."""
    rows = [
        [name, template["items"], template["text"]]
        for name, found in templates.items()
        for template in found["most_frequent"][:5]
    ]
    if not rows:
        return ""
    counts = ", ".join(f"{found['count']} {name}" for name, found in templates.items())
    return f"Templates, which match nothing ({counts}):\n\n" + _table(["", "items", "text"], rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").replace("`", "'").split())
