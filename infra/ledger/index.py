"""Where a committed call stands: 12 bytes a row, so ten million paid calls take 120 MB.

A call key is folded to 64 bits; the part that may hold it is found by binary search.  Two calls
may fold to the same number, so a hit is only a *candidate*: the reader compares the whole key.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from infra.ledger.row import CallKey

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
"""2^64 / golden ratio: spreads draws of one request over the whole range."""
_KEY_HEX_CHARS: Final = 16


def slot_of(key: CallKey) -> int:
    """Return the 64-bit number of a call; request keys are sha256 in hex, so it is uniform."""
    return (int(key[0][:_KEY_HEX_CHARS], 16) + key[1] * _GOLDEN) & _MASK


class LedgerIndex:
    """Maps a call to the parts of the ledger table that may hold it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._number_of: dict[str, int] = {}
        self._slots: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
        self._part_of: npt.NDArray[np.uint32] = np.empty(0, np.uint32)

    def __len__(self) -> int:
        return len(self._slots)

    def knows(self, part: str) -> bool:
        """Return whether the rows of `part` are indexed."""
        return part in self._number_of

    @property
    def parts(self) -> frozenset[str]:
        """Return the parts whose rows are indexed."""
        return frozenset(self._number_of)

    def add(self, part: str, keys: Sequence[CallKey]) -> None:
        """Index the rows of a part; a part already indexed is left alone."""
        if part in self._number_of:
            return
        number = len(self._parts)  # names of dropped parts stay in the list, so numbers hold
        self._parts.append(part)
        self._number_of[part] = number
        fresh = np.fromiter((slot_of(key) for key in keys), np.uint64, len(keys))
        slots = np.concatenate([self._slots, fresh])
        part_of = np.concatenate([self._part_of, np.full(len(keys), number, np.uint32)])
        order = np.argsort(slots, kind="stable")
        self._slots, self._part_of = slots[order], part_of[order]

    def drop(self, part: str) -> None:
        """Forget the rows of a part, which has become part of another one."""
        number = self._number_of.pop(part, None)
        if number is None:
            return
        kept = self._part_of != np.uint32(number)
        self._slots, self._part_of = self._slots[kept], self._part_of[kept]

    def holds_slot(self, slot: int) -> bool:
        """Return whether an indexed call folds to `slot`."""
        place = int(np.searchsorted(self._slots, np.uint64(slot), side="left"))
        return place < len(self._slots) and int(self._slots[place]) == slot

    def candidates(self, key: CallKey) -> list[str]:
        """Return the parts that may hold the call, in the order they were indexed."""
        slot = np.uint64(slot_of(key))
        first = int(np.searchsorted(self._slots, slot, side="left"))
        last = int(np.searchsorted(self._slots, slot, side="right"))
        return [self._parts[number] for number in sorted(set(self._part_of[first:last].tolist()))]
