"""faiss on 256-bit hashes: exact flat search of some queries, and its multi-index hashing.

python hamming_faiss.py HASHES.npz MAX_BITS FLAT_QUERIES
"""

import json
import sys
import time

import faiss
import numpy as np

CHUNKS, CHUNK_BITS = 16, 16


def main(file: str, max_bits: int, queries: int) -> None:
    """Print seconds and recall."""
    loaded = np.load(file)
    codes = loaded["words"].view(np.uint8).reshape(len(loaded["words"]), 32)
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexBinaryFlat(256)
    flat.add(codes)
    began = time.perf_counter()
    flat.range_search(codes[:queries], max_bits + 1)
    flat_s = (time.perf_counter() - began) * len(codes) / queries
    hashed = faiss.IndexBinaryMultiHash(256, CHUNKS, CHUNK_BITS)
    began = time.perf_counter()
    hashed.add(codes)
    limits, _, labels = hashed.range_search(codes, max_bits + 1)
    multi_s = time.perf_counter() - began
    rows = np.repeat(np.arange(len(codes)), np.diff(limits.astype(np.int64)))
    found = rows * len(codes) + labels
    pairs = loaded["pairs"]
    recall = np.isin(pairs[:, 0] * len(codes) + pairs[:, 1], found).mean()
    print(
        json.dumps(
            {
                "version": faiss.__version__,
                "flat_seconds_extrapolated": round(flat_s, 1),
                "flat_queries": queries,
                "multi_hash_seconds": round(multi_s, 1),
                "multi_hash_recall": round(float(recall), 5),
            }
        )
    )


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
