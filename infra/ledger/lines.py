"""Lines of a spool segment: `<crc32, 8 hex> <JSON>`, so that a cut or damaged one is noticed.

A line that was cut short by a crash was never acknowledged and is left out; whole lines never are.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

PREFIX_CHARS = 9
"""Eight of checksum and a space."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where one payload stands: a segment, and the offset and length of its JSON in it.

    Attributes:
        segment: name of the segment.
        offset: of the JSON, in bytes from the beginning of the block.
        length: of the JSON, in bytes.
        block: which object of a segment in the lake; a segment on a disk is one block.
    """

    segment: str
    offset: int
    length: int
    block: int = 0


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """The whole lines of a segment, and whether damage stands before its last line."""

    payloads: tuple[bytes, ...]
    damaged: bool = False


def encode_line(payload: bytes) -> bytes:
    """Return the line of a payload.

    Raises:
        ValueError: the payload is not one line.
    """
    if b"\n" in payload:
        msg = "a spool payload is one line of JSON"
        raise ValueError(msg)
    return b"%08x %s\n" % (zlib.crc32(payload), payload)


def decode_line(line: bytes) -> bytes | None:
    """Return the payload of a line without its line feed, null if it is cut or damaged."""
    payload = line[PREFIX_CHARS:]
    return payload if line[:PREFIX_CHARS] == b"%08x " % zlib.crc32(payload) else None


def scan_lines(
    data: bytes, segment: str, start: int = 0
) -> Iterator[tuple[Location, bytes | None]]:
    """Yield every line of `data`, which begins at offset `start`; null for a cut or damaged one."""
    offset = start
    lines = data.split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        payload = decode_line(line)
        yield Location(segment, offset + PREFIX_CHARS, max(0, len(line) - PREFIX_CHARS)), payload
        offset += len(line) + 1


def content_of(data: bytes) -> SegmentContent:
    """Return the whole lines of a segment; a torn last line is no damage, it was never counted."""
    found = [payload for _, payload in scan_lines(data, "")]
    return SegmentContent(
        payloads=tuple(payload for payload in found if payload is not None),
        damaged=any(payload is None for payload in found[:-1]),
    )


def locations(lines: list[bytes], segment: str, start: int, block: int = 0) -> list[Location]:
    """Return where the payloads of `lines` stand if the first begins at offset `start`."""
    places = []
    for line in lines:
        length = len(line) - PREFIX_CHARS - 1
        places.append(Location(segment, start + PREFIX_CHARS, length, block))
        start += len(line)
    return places
