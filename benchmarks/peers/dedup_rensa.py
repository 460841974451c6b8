"""rensa: RMinHashDeduplicator over word 5-grams with LSH, as its readme keeps unique documents."""

import argparse
import time

from dedup_job import Answer, main
from rensa import RMinHash, RMinHashDeduplicator

from benchmarks.dedup_corpora.words import shingles_of

NUM_PERM = 128


def deduplicate(texts: list[str], given: argparse.Namespace) -> Answer:
    """Return what is kept; a dropped row is not told its reason."""
    began = time.process_time()
    signatures = RMinHash.from_token_sets(
        [sorted(shingles_of(text)) for text in texts], num_perm=NUM_PERM, seed=42
    )
    signed = time.process_time()
    keeper = RMinHashDeduplicator(threshold=given.tau, num_perm=NUM_PERM, use_lsh=True)
    kept = keeper.add_pairs((str(row), signature) for row, signature in enumerate(signatures))
    settings = f"RMinHashDeduplicator threshold={given.tau} num_perm={NUM_PERM} use_lsh=True"
    return Answer(kept, [], settings, signed - began)


main(deduplicate)
