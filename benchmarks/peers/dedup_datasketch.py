"""datasketch: MinHash of word 5-grams, MinHashLSH with the given bands, collisions joined."""

import argparse
import time

from datasketch import MinHash, MinHashLSH
from dedup_job import Answer, components, main

from benchmarks.dedup_corpora.words import shingles_of


def deduplicate(texts: list[str], given: argparse.Namespace) -> Answer:
    """Return the components of candidates, the first row of each kept."""
    num_perm = given.bands * given.rows_per_band
    began = time.process_time()
    signatures = []
    for text in texts:
        signature = MinHash(num_perm=num_perm)
        signature.update_batch([shingle.encode() for shingle in shingles_of(text)])
        signatures.append(signature)
    signed = time.process_time()
    lsh = MinHashLSH(num_perm=num_perm, params=(given.bands, given.rows_per_band))
    for row, signature in enumerate(signatures):
        lsh.insert(row, signature)
    buckets = ([row, *lsh.query(signature)] for row, signature in enumerate(signatures))
    settings = f"MinHashLSH params=({given.bands}, {given.rows_per_band}), components"
    found = components(len(texts), buckets, settings=settings)
    found.signatures_s = signed - began
    return found


main(deduplicate)
