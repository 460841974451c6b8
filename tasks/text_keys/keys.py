"""Keys of texts: what makes two of them equal, near, or never duplicates of each other.

    found = text_keys(table["text"], TextKeyParams())
    grams = ngrams(table["text"], 13)

Everything is a function of each row's text alone: neither chunks, slices, dictionaries nor other
rows change it.  A row with fewer words than a shingle has one shingle of all of them; a row without
words (null, empty, punctuation) has no shingle, zero bands, and is never a near duplicate.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.text_keys.blocks import Block, Bytes, Places, blocks
from tasks.text_keys.grams import grams, sorted_unique
from tasks.text_keys.guard import guards
from tasks.text_keys.minhash import Permutations, band_keys, permutations
from tasks.text_keys.tokens import Hashes, tokens


@dataclass(frozen=True, slots=True)
class TextKeyParams:
    """What the keys depend on.

    Fields:
        shingle_words: words of a shingle.
        bands: band keys per text.
        rows: permutations per band.
        seed: of the permutations.
    """

    shingle_words: int = 5
    bands: int = 16
    rows: int = 7
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.shingle_words, self.bands, self.rows) < 1:
            msg = f"expected positive sizes, found {self}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class TextKeys:
    """Keys of n texts.

    Fields:
        exact: (n,) uint64, hash of the text but for case and white space.
        guard: (n,) uint64, hash of the protected tokens in order; 0 for none.
        n_tokens: (n,) int64, words.
        bands: (n, bands) uint64, zeros without words.
        signature: (n, bands * rows) uint8, zeros without words.
        offsets: (n + 1,) int64, first shingle of every row.
        shingles: uint64, ascending and unique within a row.
    """

    exact: Hashes
    guard: Hashes
    n_tokens: Places
    bands: Hashes
    signature: Bytes
    offsets: Places
    shingles: Hashes

    def __len__(self) -> int:
        return len(self.exact)


def text_keys(texts: pa.Array | pa.ChunkedArray, params: TextKeyParams) -> TextKeys:
    """Return the keys of every text; null counts as empty.

    Raises:
        TypeError: the column holds neither text nor bytes.
    """
    drawn = permutations(params.bands * params.rows, params.seed)
    empty = np.zeros(0, dtype=np.uint64)
    parts = [_none(params, empty), *(_block_keys(b, params, drawn) for b in blocks(texts))]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return TextKeys(
        exact=np.concatenate([part.exact for part in parts]),
        guard=np.concatenate([part.guard for part in parts]),
        n_tokens=np.concatenate([part.n_tokens for part in parts]),
        bands=np.concatenate([part.bands for part in parts]),
        signature=np.concatenate([part.signature for part in parts]),
        offsets=_offsets(lengths),
        shingles=np.concatenate([part.shingles for part in parts]),
    )


def ngrams(
    texts: pa.Array | pa.ChunkedArray, n: int, *, keeps_short: bool = False
) -> tuple[Places, Hashes]:
    """Return offsets (rows + 1,) and hashes of n consecutive words, in order of the text.

    Args:
        texts: text of any Arrow layout; null counts as empty.
        n: words of a gram.
        keeps_short: whether a row of fewer words gives one gram of all its words instead of none.
    """
    lengths, hashes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    for block in blocks(texts):
        found = tokens(block)
        offsets, own = grams(found.offsets, found.hashes, n, keeps_short)
        lengths.append(np.diff(offsets))
        hashes.append(own)
    return _offsets(np.concatenate(lengths)), np.concatenate(hashes)


def _none(params: TextKeyParams, empty: Hashes) -> TextKeys:
    size = params.bands * params.rows
    return TextKeys(
        exact=empty,
        guard=empty,
        n_tokens=empty.astype(np.int64),
        bands=empty.reshape(0, params.bands),
        signature=np.zeros((0, size), dtype=np.uint8),
        offsets=np.zeros(1, dtype=np.int64),
        shingles=empty,
    )


def _block_keys(block: Block, params: TextKeyParams, drawn: Permutations) -> TextKeys:
    found = tokens(block)
    offsets, in_order = grams(found.offsets, found.hashes, params.shingle_words, True)  # noqa: FBT003 - kernels know no keywords
    offsets, shingles = sorted_unique(offsets, in_order)
    keys, signature = band_keys(offsets, shingles, drawn.factors, drawn.summands, params.bands)
    return TextKeys(
        exact=found.exact,
        guard=guards(block, found),
        n_tokens=np.diff(found.offsets),
        bands=keys,
        signature=signature,
        offsets=offsets,
        shingles=shingles,
    )


def _offsets(lengths: npt.NDArray[np.int64]) -> Places:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
