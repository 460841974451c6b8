"""Spool: durable lines, torn ends, orphans, and the race for an unlocked file."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.ledger.disk_segments import DiskSegments, adopt, read_segment, segments
from infra.ledger.lines import decode_line, encode_line, scan_lines
from infra.ledger.spool import Segment, Spool
from sightline.errors import LakeError


def lines_of(segment: Segment) -> tuple[bytes, ...]:
    content = segment.read()
    assert content is not None
    return content.payloads


PAYLOADS = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" "))


@given(PAYLOADS)
def test_line_round_trip(payload: bytes):
    assert decode_line(encode_line(payload).removesuffix(b"\n")) == payload


@given(st.lists(PAYLOADS, max_size=5), st.data())
def test_cut_at_any_byte_keeps_every_whole_line(payloads: list[bytes], data: st.DataObject):
    lines = [encode_line(payload) for payload in payloads]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    expected = [p for p, end in zip(payloads, ends, strict=True) if end - 1 <= cut]
    found = [p for _, p in scan_lines(whole[:cut], "x") if p is not None]
    assert found == expected


def test_location_leads_back_to_the_payload(tmp_path: Path):
    store = DiskSegments(tmp_path)
    spool = Spool(store)
    places = [spool.append(f"row {n}".encode()).result() for n in range(20)]
    assert [store.read(place) for place in places] == [f"row {n}".encode() for n in range(20)]
    spool.close()


def test_many_threads_append_all_lines(tmp_path: Path):
    from concurrent.futures import ThreadPoolExecutor

    spool = Spool(DiskSegments(tmp_path, max_segment_bytes=500))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: spool.append(b"%d" % n).result(), range(300)))
    sealed = spool.seal()
    assert len(sealed) > 1
    found = [p for segment in sealed for p in lines_of(segment)]
    assert sorted(map(int, found)) == list(range(300))
    spool.close()


def test_torn_last_line_is_left_out_without_damage(tmp_path: Path):
    path = tmp_path / "a.spool"
    path.write_bytes(encode_line(b"one") + encode_line(b"two")[:-3])
    content = read_segment(path)
    assert (content.payloads, content.damaged) == ((b"one",), False)


def test_damage_before_the_end_is_reported_and_the_rest_kept(tmp_path: Path):
    path = tmp_path / "a.spool"
    path.write_bytes(encode_line(b"one") + b"garbage\n" + encode_line(b"two"))
    content = read_segment(path)
    assert (content.payloads, content.damaged) == ((b"one", b"two"), True)


def test_live_segment_cannot_be_adopted_until_its_owner_is_gone(tmp_path: Path):
    spool = Spool(DiskSegments(tmp_path))
    path = Path(spool.append(b"one").result().segment)
    assert adopt(path) is None
    spool.close()
    orphan = adopt(path)
    assert orphan is not None
    assert adopt(path) is None
    orphan.discard()
    assert segments(tmp_path) == []


def test_segment_of_a_killed_process_can_be_adopted(tmp_path: Path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from infra.ledger.disk_segments import DiskSegments
        from infra.ledger.spool import Spool
        Spool(DiskSegments(Path(sys.argv[1]))).append(b"paid").result()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), tmp_path], check=False)
    (path,) = segments(tmp_path)
    assert read_segment(path).payloads == (b"paid",)
    orphan = adopt(path)
    assert orphan is not None
    os.close(orphan.fd)


def test_seal_returns_what_was_queued_before_it(tmp_path: Path):
    spool = Spool(DiskSegments(tmp_path))
    for number in range(50):
        spool.append(b"%d" % number)
    sealed = spool.seal()
    spool.append(b"later").result()
    assert sum(len(lines_of(s)) for s in sealed) == 50
    spool.close()


def test_unwritable_folder_fails_the_append_not_the_thread(tmp_path: Path):
    store = DiskSegments(tmp_path / "spool")
    spool = Spool(store)
    (tmp_path / "spool").rmdir()
    with pytest.raises(LakeError, match="cannot write the spool"):
        spool.append(b"one").result(5)
    (tmp_path / "spool").mkdir()
    assert store.read(spool.append(b"two").result(5)) == b"two"
    spool.close()


def test_closed_spool_refuses(tmp_path: Path):
    spool = Spool(DiskSegments(tmp_path))
    spool.close()
    with pytest.raises(LakeError, match="closed"):
        spool.append(b"one")


def test_payload_of_two_lines_is_refused():
    with pytest.raises(ValueError, match="one line"):
        encode_line(b"a\nb")
