"""Daft: its minhash expression over normalised words, its group-by per band, components."""

import argparse
import time
from collections.abc import Iterator

import daft
import numpy as np
from daft.functions import minhash
from dedup_job import Answer, components, main

from benchmarks.dedup_corpora.words import SHINGLE_WORDS, words_of


def deduplicate(texts: list[str], given: argparse.Namespace) -> Answer:
    """Return the components of bands, as its tutorial on Common Crawl builds them."""
    num_perm = given.bands * given.rows_per_band
    began = time.process_time()
    words = daft.from_pydict({"text": [" ".join(words_of(text)) for text in texts]})
    signed = words.select(
        minhash(words["text"], num_hashes=num_perm, ngram_size=SHINGLE_WORDS, seed=42).alias("m")
    ).collect()
    signatures = np.asarray(signed.to_arrow()["m"].combine_chunks().values)
    seconds = time.process_time() - began
    bands = signatures.reshape(len(texts), given.bands, given.rows_per_band)
    settings = f"minhash num_hashes={num_perm} ngram_size={SHINGLE_WORDS}, components"
    return components(len(texts), buckets(bands), settings=settings, signatures_s=seconds)


def buckets(bands: "np.ndarray") -> Iterator[list[int]]:
    """Yield the rows of every bucket of two or more, grouped by Daft.

    Args:
        bands: (rows, bands, numbers of a band) uint32.
    """
    for band in range(bands.shape[1]):
        keys = [numbers.tobytes() for numbers in bands[:, band]]
        frame = daft.from_pydict({"key": keys, "row": list(range(len(keys)))})
        groups = frame.groupby("key").agg(frame["row"].list_agg())
        yield from (rows for rows in groups.to_pydict()["row"] if len(rows) > 1)


main(deduplicate)
