"""What a kill cost, read from the endpoint's own log.

A call counts as *on the wire* if its answer went out less than `GRACE_S` before the kill, or after
it: nobody can have received it for sure.  Every other answered call was received; asking for it
again is buying twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measuring.runs import OK
from infra.embedded_teacher.request_log import LoggedEvent, read_log

GRACE_S: Final = 0.2
"""From the server's write to the client's fsync, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Bought:
    """Counts of one killed and resumed run.

    Attributes:
        received: distinct calls answered before the kill, the wire left out.
        bought_twice: of these, those answered again.
        on_the_wire: calls whose answers the kill may have cut off.
        asked_again: of these, those asked again.
        after: calls answered after the kill.
    """

    received: int
    bought_twice: int
    on_the_wire: int
    asked_again: int
    after: int


def answered(log: Path) -> list[LoggedEvent]:
    """Return the answers that were paid for, in their order."""
    return [e for e in read_log(log) if e.event == "answered" and e.status == OK]


def bought(log: Path, killed_at: float) -> Bought:
    """Return the counts around a kill at `killed_at`, seconds since 1970."""
    events = answered(log)
    received = {e.body_sha256 for e in events if e.at < killed_at - GRACE_S}
    wire = {e.body_sha256 for e in _arrived_before(log, killed_at)} - received
    later = [e.body_sha256 for e in _received_after(log, killed_at)]
    return Bought(
        received=len(received),
        bought_twice=sum(body in received for body in later),
        on_the_wire=len(wire),
        asked_again=sum(body in wire for body in later),
        after=len(later),
    )


def _arrived_before(log: Path, killed_at: float) -> Iterable[LoggedEvent]:
    return (e for e in read_log(log) if e.event == "received" and e.at <= killed_at)


def _received_after(log: Path, killed_at: float) -> Iterable[LoggedEvent]:
    """Yield paid answers to requests that came in after the kill."""
    events = list(read_log(log))
    late = {e.number for e in events if e.event == "received" and e.at > killed_at}
    return (e for e in events if e.event == "answered" and e.status == OK and e.number in late)
