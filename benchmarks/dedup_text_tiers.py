"""What each tier calls a duplicate: paraphrases, and questions with changed numbers.

    python benchmarks/dedup_text_tiers.py --pairs neardup_text_mrpc/pairs.jsonl
        [--questions FILE.jsonl...] [--hashed]
        [--vectors VECTORS.safetensors TOKENIZER.json] [--weights DIR]

Pairs (`text1`, `text2`, `label`; MRPC: 1 is a paraphrase) and questions (`question`) of which one
number is changed go through all tiers: exact key; fuzzy (exact Jaccard of word 5-grams >= tau)
without and with the guard on protected tokens; semantic (report-only, through the tier's own
code) where embeddings are given, as static vectors per token, as the weights of an encoder, or as
the embedded teacher's hashed words, which show the mechanics and say nothing of meaning.  The
labelled pairs also give the thresholds that they support.  The automatic tier is fuzzy with guard:
it may drop no pair of label 0, at most 1 % of the paraphrases (two that share four in five of their
5-grams are the same sentence to any reader; they are printed) and no question whose number changed.
Ends with status 1 otherwise.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.dedup_corpora.words import shingles_of
from infra.embedded_teacher.embeddings import EmbeddingRequest, vector
from infra.embedded_teacher.names import DEFAULT_MODEL
from tasks.dedup.semantic.calibration import calibrated
from tasks.dedup.semantic.clusters import normalised
from tasks.dedup.semantic.params import Kind, SemanticParams
from tasks.dedup.semantic.report import semantic_report
from tasks.text_keys.keys import TextKeyParams, text_keys

NUMBER: Final = re.compile(r"\d+")
MAX_PARAPHRASES: Final = 0.01
COSINES: Final = (0.99, 0.95, 0.9, 0.8)
PRECISIONS: Final = (0.99, 0.95, 0.9, 0.8)
Embed = Callable[[list[str]], npt.NDArray[np.floating]]


def main() -> None:
    """Print one JSON object."""
    given = arguments()
    embed = embedder(given)
    rows = [json.loads(line) for line in given.pairs.read_text(encoding="utf-8").splitlines()]
    found: dict[str, Any] = {"tau": given.tau, "pairs": {}}
    for label in sorted({row["label"] for row in rows}):
        chosen = [(row["text1"], row["text2"]) for row in rows if row["label"] == label]
        found["pairs"][f"label {label}"] = tiers(chosen, given.tau, embed)
    questions = [(text, changed(text, Random(text))) for text in questions_in(given.questions)]  # noqa: S311 - an edit
    if questions:
        found["numbers_changed"] = tiers(questions, given.tau, embed)
    if embed is not None:
        found["thresholds_from_pairs"] = thresholds(rows, embed)
    found["problems"] = problems(found)
    print(json.dumps(found, indent=2))
    sys.exit(bool(found["problems"]))


def tiers(pairs: list[tuple[str, str]], tau: float, embed: Embed | None) -> dict[str, Any]:
    """Return how many pairs each tier calls duplicates, with examples of the automatic tier."""
    left, right = (
        text_keys(pa.array(texts), TextKeyParams()) for texts in zip(*pairs, strict=True)
    )
    similarity = np.asarray([jaccard(one, other) for one, other in pairs])
    is_exact, same_guard = left.exact == right.exact, left.guard == right.guard
    is_fuzzy = similarity >= tau
    is_automatic = is_exact | (is_fuzzy & same_guard)
    found: dict[str, Any] = {
        "pairs": len(pairs),
        "exact": int(is_exact.sum()),
        "fuzzy_without_guard": int(is_fuzzy.sum()),
        "guard_keeps_apart": int((is_fuzzy & ~same_guard).sum()),
        "automatic": int(is_automatic.sum()),
        "automatic_examples": [pairs[row] for row in np.flatnonzero(is_automatic)[:3].tolist()],
    }
    if embed is not None:
        vectors = np.concatenate([embed(list(texts)) for texts in zip(*pairs, strict=True)])
        found["semantic_report_only"] = {
            f"cosine >= {least}": reported(len(pairs), vectors, least) for least in COSINES
        }
    return found


def jaccard(one: str, other: str) -> float:
    """Return the exact similarity of two texts."""
    left, right = shingles_of(one), shingles_of(other)
    return len(left & right) / max(1, len(left | right))


def changed(text: str, rng: Random) -> str:
    """Return `text` with one of its numbers changed."""
    places = list(NUMBER.finditer(text))
    chosen = rng.choice(places)
    other = str(int(chosen[0]) + rng.randint(1, 9))
    return text[: chosen.start()] + other + text[chosen.end() :]


def questions_in(files: list[Path]) -> list[str]:
    """Return the distinct questions that have a number."""
    rows = (json.loads(line) for file in files for line in file.open(encoding="utf-8"))
    questions = (str(row.get("question") or "") for row in rows)
    return sorted({text for text in questions if NUMBER.search(text)})


def cosines(pairs: list[tuple[str, str]], embed: Embed) -> npt.NDArray[np.float32]:
    """Return the cosine of every pair."""
    left, right = (normalised(embed(list(texts))) for texts in zip(*pairs, strict=True))
    found: npt.NDArray[np.float32] = (left * right).sum(axis=1)
    return found


def reported(n_pairs: int, vectors: npt.NDArray[np.floating], least: float) -> int:
    """Return how many pairs the tier reports, each pair as a picture of its own.

    Args:
        n_pairs: pairs.
        vectors: of all left texts, then of all right texts.
        least: cosine.

    Raises:
        RuntimeError: it would drop one.
    """
    ids = [f"{row:06d}-{side}" for side in "ab" for row in range(n_pairs)]
    params = SemanticParams(threshold=least, kind=Kind.SAMPLE)
    rows = semantic_report(ids, vectors, params, groups=[*range(n_pairs)] * 2).to_pylist()
    if any(row["decision"] != "report" for row in rows):
        msg = "expected reports, found a drop by cosine alone"
        raise RuntimeError(msg)
    return sum(row["item_id"] != row["kept_id"] for row in rows)


def thresholds(rows: list[dict[str, Any]], embed: Embed) -> dict[str, Any]:
    """Return the thresholds that the labelled pairs support, or why there is none."""
    values = cosines([(row["text1"], row["text2"]) for row in rows], embed).tolist()
    labels = [bool(row["label"]) for row in rows]
    return {f"precision {wanted}": _threshold(values, labels, wanted) for wanted in PRECISIONS}


def _threshold(values: list[float], labels: list[bool], wanted: float) -> dict[str, Any]:
    try:
        found = calibrated(values, labels, wanted)
    except ValueError as exc:
        return {"none": str(exc)}
    return {name: round(getattr(found, name), 4) for name in found.__slots__}


def embedder(given: argparse.Namespace) -> Embed | None:
    """Return what embeds texts, or null."""
    if given.weights:
        from tasks.dedup.semantic.model import EmbeddingModel  # noqa: PLC0415 - torch

        return EmbeddingModel(given.weights, max_tokens=512).embed
    if given.hashed:
        return hashed
    return static_vectors(*given.vectors) if given.vectors else None


def hashed(texts: list[str]) -> npt.NDArray[np.floating]:
    """Return the vectors of the embedded teacher."""
    request = EmbeddingRequest(DEFAULT_MODEL, tuple(texts))
    return np.asarray([vector(text, request, "") for text in texts])


def static_vectors(vectors: Path, tokenizer: Path) -> Embed:
    """Return the mean of a vector per token, as static embedding models make it."""
    from safetensors.numpy import load_file  # noqa: PLC0415 - only here
    from tokenizers import Tokenizer  # noqa: PLC0415 - only here

    (matrix,) = load_file(vectors).values()
    known = Tokenizer.from_file(str(tokenizer))

    def embed(texts: list[str]) -> npt.NDArray[np.floating]:
        encoded = [known.encode(text, add_special_tokens=False).ids for text in texts]
        return np.stack([matrix[ids].astype(np.float64).mean(axis=0) for ids in encoded])

    return embed


def problems(found: dict[str, Any]) -> list[str]:
    """Return what the automatic tier must not have done."""
    wrong = []
    for label, row in found["pairs"].items():
        allowed = 0 if label == "label 0" else MAX_PARAPHRASES * row["pairs"]
        if row["automatic"] > allowed:
            wrong.append(f"{label}: {row['automatic']} pairs would be dropped")
    if found.get("numbers_changed", {}).get("automatic"):
        wrong.append("questions with changed numbers would be dropped")
    return wrong


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--questions", type=Path, nargs="*", default=[])
    parser.add_argument("--vectors", type=Path, nargs=2, help="Static vectors and tokenizer.")
    parser.add_argument("--hashed", action="store_true", help="Vectors of the embedded teacher.")
    parser.add_argument("--weights", type=Path, help="Folder of a text encoder.")
    parser.add_argument("--tau", type=float, default=0.8)
    return parser.parse_args()


if __name__ == "__main__":
    main()
