"""Write tests/tasks/replies/golden: what the grammars make of every real teacher reply.

A golden row holds ids, counts and short hashes, never a word of the data, so the rows may be
committed where the data may not.  A changed row under an unchanged `PARSER_VERSION` is refused:
stored replies would not be read again.
"""

import argparse
import csv
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.replies.defects import defects_of
from tasks.replies.grammar import PARSER_VERSION, PARSERS, read_answer, read_region, read_scores
from tasks.replies.parsed import Grammar, ParsedReply
from tasks.replies.role_tokens import own_turn

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "tasks" / "replies" / "golden"
DATA = ROOT.parent / "shared" / "data"

Row = Mapping[str, Any]
COLUMNS = ("row", "text", "grammar", "answer", "reasoning", "boxes", "parts", "scores", "others",
           "defects", "agrees")  # fmt: skip


@dataclass(frozen=True)
class ReplySet:
    """How one set of real replies is read.

    Attributes:
        text: the reply of a row.
        read: the reading that fits the set's prompt.
        agrees: whether a reading says what the set's own mark says; null where it has none.
        prompt: what was asked, where the set holds it.
    """

    text: Callable[[Row], str]
    read: Callable[[str, Row], ParsedReply]
    agrees: Callable[[ParsedReply, Row], bool | None]
    prompt: Callable[[Row], str | None] = lambda _row: None


def _by(grammar: Grammar) -> Callable[[str, Row], ParsedReply]:
    return lambda text, _row: read_answer(text, grammar)


def _letter_or_text(text: str, row: Row) -> ParsedReply:
    has_choices = row["question_type"] == "multi_choice"
    return read_answer(text, Grammar.OPTION_LETTER if has_choices else Grammar.FREE_TEXT)


def _answer_or_region(text: str, _row: Row) -> ParsedReply:
    reading = read_answer(text)
    return reading if reading.answered else read_region(text)


def _snippet(row: Row) -> str:
    """Return the reply inside the body that the snippet quotes."""
    if "text" in row:
        return str(row["text"])
    body = json.loads(row["raw_response"])
    return str(body["text"] if "text" in body else body["choices"][0]["message"]["content"])


def _extraction(reading: ParsedReply, row: Row) -> bool | None:
    letter = str(row["extraction"]).strip("()")
    is_letter = row["question_type"] == "multi_choice" and len(letter) == 1 and letter.isalpha()
    return reading.answer == letter if is_letter else None


def _format_reward(reading: ParsedReply, row: Row) -> bool:
    """The graders gave format=1 to whole think and answer tags, in this order."""
    is_whole = reading.answered and reading.thinking is not None and not reading.defects
    return is_whole == ("format=1.000" in row["rewards"] or "format_reward=1.0" in row["rewards"])


def _count(reading: ParsedReply, row: Row) -> bool | None:
    extracted = row["extracted_answer"]
    return None if extracted is None else reading.answer == str(extracted)


def _leaks(reading: ParsedReply, row: Row) -> bool | None:
    marks = row["observations"]
    if marks is None:
        return None
    return ("role_boundary_token_present" in marks) == ("role_token" in reading.defects)


def _snippet_mark(reading: ParsedReply, row: Row) -> bool | None:
    return reading.answer == row["gold"] if "gold" in row else None


SETS: Mapping[str, ReplySet] = {
    "gpt4_answers_coco": ReplySet(
        lambda r: r["output"], _by(Grammar.FREE_TEXT), lambda g, r: g.answer == r["output"].strip()
    ),
    "gpt4_judge_pairwise": ReplySet(
        lambda r: r["text"],
        lambda text, _row: read_scores(text),
        lambda g, r: list(g.scores) == r["score"],
    ),
    "gpt4o_mmmupro_standard_cot": ReplySet(
        lambda r: r["response"],
        _by(Grammar.OPTION_LETTER),
        lambda g, r: g.answer == r["pred_indexs"],
    ),
    "gpt4o_mmmupro_vision_cot": ReplySet(
        lambda r: r["response"],
        _by(Grammar.OPTION_LETTER),
        lambda g, r: g.answer == r["pred_indexs"],
    ),
    "gpt4o_refocus_chartqa": ReplySet(
        lambda r: repr(r["thoughts"]), _by(Grammar.AUTO), lambda _g, _r: None
    ),
    "mathvista_bard": ReplySet(lambda r: r["response"], _letter_or_text, _extraction),
    "mathvista_gpt4_solution": ReplySet(
        lambda r: r["response"] or "", _letter_or_text, _extraction
    ),
    "r1_vlm_eval_aokvqa": ReplySet(lambda r: r["completion"], _by(Grammar.AUTO), _format_reward),
    "r1_vlm_rollouts_aokvqa": ReplySet(
        lambda r: r["completion"], _by(Grammar.AUTO), _format_reward
    ),
    "r1v_superclevr": ReplySet(lambda r: r["model_output"], _by(Grammar.AUTO), _count),
    "tagged_snippets": ReplySet(_snippet, _answer_or_region, _snippet_mark),
    "vlm_zoo_one_photo": ReplySet(
        lambda r: r["text"], _by(Grammar.FREE_TEXT), _leaks, lambda r: r["prompt"]
    ),
}


def golden_rows(data: Path, name: str) -> Iterator[dict[str, str]]:
    """Yield one golden row per reply of the set `name` under `data`."""
    replies = SETS[name]
    path = data / "teacher_outputs" / name / "outputs.jsonl"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        text = replies.text(row)
        reading = replies.read(text, row)
        reading = reading.with_defects(defects_of(text, replies.prompt(row)))
        yield _golden(number, text, reading, replies.agrees(reading, row))


def _golden(number: int, text: str, reading: ParsedReply, agrees: bool | None) -> dict[str, str]:  # noqa: FBT001 - one column
    counts = (reading.boxes, reading.parts, reading.scores)
    values = (
        str(number), _short(text), reading.grammar.value, _short(reading.answer),
        _short(reading.reasoning), *(str(len(items)) for items in counts), _others(text, reading),
        " ".join(reading.defects), "" if agrees is None else str(int(agrees)),
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _others(text: str, reading: ParsedReply) -> str:
    """Return the further grammars that would read something; prose fits free_text by definition."""
    turn = own_turn(text)
    known = {reading.grammar, Grammar.FREE_TEXT}
    found = {name: parse(turn) for name, parse in PARSERS.items() if name not in known}
    return " ".join(n for n, f in found.items() if f.answered or f.states_region or f.scores)


def _short(text: str | None) -> str:
    return "" if text is None else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


def summary_row(name: str, rows: list[dict[str, str]]) -> dict[str, str]:
    """Return how many replies of a set say what was asked for, and agree with its own marks."""
    read = sum(bool(r["answer"]) or r["boxes"] != "0" or r["scores"] != "0" for r in rows)
    marked = [r["agrees"] for r in rows if r["agrees"]]
    numbers = {"rows": len(rows), "read": read, "marked": len(marked), "agree": marked.count("1")}
    return {"set": name} | {key: str(value) for key, value in numbers.items()}


def golden_files(data: Path) -> dict[str, str]:
    """Return the text of every golden file by name."""
    by_set = {name: list(golden_rows(data, name)) for name in SETS}
    files = {f"{name}.csv": _csv(rows) for name, rows in by_set.items()}
    summary = _csv([summary_row(name, rows) for name, rows in by_set.items()])
    return files | {"summary.csv": summary, "PARSER_VERSION": f"{PARSER_VERSION}\n"}


def _csv(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def committed_files() -> dict[str, str]:
    """Return the golden files as they are committed."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*"))}


def main() -> int:
    """Write the files; 1 if readings changed and the version did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data")
    now, committed = golden_files(parser.parse_args().data), committed_files()
    changed = sorted(name for name in now if now[name] != committed.get(name, now[name]))
    if changed and "PARSER_VERSION" not in changed:
        print(f"{changed} change: raise PARSER_VERSION in tasks/replies/grammar.py, then run again")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in now.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(now["summary.csv"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
