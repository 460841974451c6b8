"""What deduplication drops, judged by an exact all-pairs oracle, beside its peers.

    sh benchmarks/peers/install.sh FOLDER     # the peers, each in an environment of its own
    python benchmarks/dedup_quality.py --real FOLDER_OR_JSONL... [--peers FOLDER] [--rows 30000]

Corpora: templated rationales (usual and rigid), natural text, real text; those of fewer than `rows`
rows are taken whole.  The oracle joins all pairs with Jaccard >= tau over word 5-grams and keeps
greedily in row order.  Peers run as their documentation says, with our bands where they have bands.
Sightline is shown without its joint key (so that it answers the same question), then with the guard
on protected tokens, which keeps rows apart that differ in a number, unit, negation or option.
Embeddings say nothing about natural text here, whose words are invented.
Prints one JSON object and, if a goal is missed, ends with status 1.
"""

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.dedup_corpora.natural import natural
from benchmarks.dedup_corpora.oracle import shingled, similar_pairs
from benchmarks.dedup_corpora.real import real
from benchmarks.dedup_corpora.templated import rigid, templated
from benchmarks.measuring.decisions import Decisions, Truth, judged
from benchmarks.measuring.machine import machine
from benchmarks.measuring.peer_runs import NOT_RUN, PEERS, PeerError, run_peer
from benchmarks.measuring.text_dedup_runs import PARAMS, decide, token_differences
from tasks.text_keys.keys import TextKeyParams

GOAL_RESIDUAL: Final = 0.002
GOAL_DIFFERENCE: Final = 0.003
OURS: Final = "sightline"


def corpora(given: argparse.Namespace) -> dict[str, list[str]]:
    """Return the texts of every corpus that was asked for."""
    return {
        "templated": list(templated(given.rows)),
        "rigid": list(rigid(given.rows)),
        "natural": list(natural(given.rows)),
        "real": list(islice(real(*given.real), given.rows)),
    }


def main() -> None:
    """Judge every scheme on every corpus and print the result."""
    given = arguments()
    packages = ("numba", "pyarrow", "numpy")
    found: dict[str, Any] = {"machine": machine(*packages), "tau": given.tau}
    found |= {"bands": f"{PARAMS.bands}x{PARAMS.rows}", "corpora": {}}
    for name, texts in corpora(given).items():
        if texts:
            found["corpora"][name] = row = schemes(texts, given)
            print(name, json.dumps(row), file=sys.stderr, flush=True)
    found["not_run"] = NOT_RUN
    found["goals_missed"] = missed(found["corpora"])
    print(json.dumps(found, indent=2))
    sys.exit(bool(found["goals_missed"]))


def schemes(texts: list[str], given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of every scheme on one corpus."""
    began = time.perf_counter()
    sets = shingled(texts)
    truth = Truth(sets, similar_pairs(sets, given.tau), given.tau)
    shingles = int(sets.offsets[-1])
    row: dict[str, Any] = {
        "rows": len(texts),
        "distinct_texts": len(set(texts)),
        "shingles_per_row": round(shingles / len(texts), 1),
        "cut_otherwise_than_by_plain_tokeniser": token_differences(texts),
        "oracle": {
            "pairs": len(truth.pairs.left),
            "dropped": int((truth.kept_by >= 0).sum()),
            "seconds": round(time.perf_counter() - began, 1),
        },
    }
    variants = {
        OURS: (False, PARAMS),
        f"{OURS} with guard": (True, PARAMS),
        f"{OURS} 14x8": (False, TextKeyParams(bands=14, rows=8)),
    }
    for name, (guard, params) in variants.items():
        began = time.perf_counter()
        column = pa.array(texts, pa.large_string())
        decisions = decide(column, given.tau, guard=guard, params=params)
        row[name] = judged(decisions, truth) | {"seconds": round(time.perf_counter() - began, 2)}
    return row | peers(texts, truth, given)


def peers(texts: list[str], truth: Truth, given: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of every peer, or why there are none."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder:
        file = Path(folder) / "texts.parquet"
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), file)
        for name in PEERS:
            answer = run_peer(given.peers, name, file, given.limit_s)
            if isinstance(answer, PeerError):
                found[name] = {"not_run": answer.reason}
                continue
            named = np.asarray(answer["kept_by"]) if answer["kept_by"] else None
            decisions = Decisions(np.asarray(answer["kept"]), named)
            about = {"seconds": round(answer["seconds"], 2), "settings": answer["settings"]}
            found[name] = judged(decisions, truth) | about
    return found


def missed(found: dict[str, Any]) -> list[str]:
    """Return the goals that Sightline misses."""
    problems = []
    for corpus, row in found.items():
        ours = row[OURS]
        if ours["dropped_false"]:
            problems.append(f"{corpus}: not every dropped row is verified")
        if row["cut_otherwise_than_by_plain_tokeniser"]["ascii_rows"]:
            problems.append(f"{corpus}: words of plain ASCII are cut otherwise than expected")
        if ours["residual_share_of_kept"] > GOAL_RESIDUAL:
            problems.append(f"{corpus}: residual duplicates {ours['residual_share_of_kept']}")
        if ours["kept_set_difference"] > GOAL_DIFFERENCE:
            problems.append(f"{corpus}: kept set differs by {ours['kept_set_difference']}")
    return problems


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, nargs="*", default=[], help="Folders or JSON lines.")
    parser.add_argument("--peers", type=Path, help="Folder that install.sh filled.")
    parser.add_argument("--rows", type=int, default=30_000, help="Of each corpus, at most.")
    parser.add_argument("--tau", type=float, default=0.8)
    parser.add_argument("--limit-s", type=float, default=900.0, help="Per peer and corpus.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
