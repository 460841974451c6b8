"""What the batch tests share: a desk on a lake, chains of two asks, and waves until all is done."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger, Sharing
from infra.ledger.row import LedgerRow
from infra.teacher.batch.client import BatchClient, BatchEndpoint
from infra.teacher.batch.collector import Collector, WaveCounts
from infra.teacher.batch.desk import BatchDesk, BatchOptions, Wave
from infra.teacher.batch.receiving import Received
from infra.teacher.batch.record import Batch, BatchState
from infra.teacher.batch.sending import Payer
from infra.teacher.batch.wanted import CallWantedError
from infra.teacher.prices import Price, Prices
from infra.teacher.types import Asker, Request, Response
from sightline.schemas import LEDGER
from tests.infra.teachers import MODEL, ask_for

PAYER = Payer("test", "distill")
PRICE = Price(input_usd=100.0, output_usd=100.0)
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Site:
    """A lake with its ledger and the desk of one run."""

    desk: BatchDesk
    ledger: Ledger
    lake: Lake
    client: BatchClient

    def rows(self) -> list[LedgerRow]:
        return [LedgerRow.from_columns(row) for row in self.lake.read(LEDGER).to_pylist()]

    def batches(self) -> list[Batch]:
        return self.desk.book.batches()


@contextmanager
def site_at(
    base_url: str,
    folder: Path,
    *,
    shared_lake: Lake | None = None,
    expiry_s: float = 60.0,
    **changes: object,
) -> Iterator[Site]:
    """Open a lake in `folder`, or one that several machines share; `changes` are of its options."""
    lake, endpoint = shared_lake or Lake(folder / "lake"), BatchEndpoint(base_url, timeout_s=20.0)
    sharing = Sharing(claims_in_lake=True, expiry_s=expiry_s) if shared_lake else None
    patience_s = 0.0 if sharing is None else PATIENCE_S
    options = BatchOptions((endpoint,), patience_s=patience_s)
    with Ledger(lake, folder / "spool", sharing) as ledger, BatchClient(endpoint) as client:
        desk = BatchDesk(ledger, Prices({MODEL: PRICE}), replace(options, **changes))  # type: ignore[arg-type]
        try:
            yield Site(desk, ledger, lake, client)
        finally:
            desk.close()


def follow_up(number: int, first: Response) -> Request:
    """Return an ask that depends on what was said before, as every round of a chain does."""
    request = ask_for(number)
    said = f"You said {len(first.text)} characters before."
    return replace(request, content=(*request.content, said))


async def chain(asker: Asker, number: int) -> list[Response]:
    first = await asker.ask(ask_for(number, task="zoom"))
    return [first, await asker.ask(follow_up(number, first))]


def walk(collector: Collector, numbers: Sequence[int]) -> list[list[Response]]:
    """Return the chains that came to their end."""

    async def walk_all() -> list[list[Response] | BaseException]:
        chains = (chain(collector, number) for number in numbers)
        return await asyncio.gather(*chains, return_exceptions=True)

    ended = asyncio.run(walk_all())
    problems = [e for e in ended if isinstance(e, Exception) and not isinstance(e, CallWantedError)]
    if problems:
        raise problems[0]
    return [found for found in ended if isinstance(found, list)]


def wave(site: Site, numbers: Sequence[int]) -> WaveCounts:
    return whole_wave(site, numbers).collector.counts


def whole_wave(site: Site, numbers: Sequence[int]) -> Wave:
    with site.desk.wave(PAYER) as found:
        walk(found.collector, numbers)
    return found


def receive_all(site: Site) -> list[Received]:
    """Return what became of the open batches once none is open, in the order of their ends."""
    over: list[Received] = []
    deadline = time.monotonic() + PATIENCE_S
    while site.desk.book.open_batches():
        over += [found for found in site.desk.receive() if not found.batch.is_open]
        assert time.monotonic() < deadline, site.batches()
    return over


def waves_until_done(site: Site, numbers: Sequence[int]) -> list[WaveCounts]:
    done: list[WaveCounts] = []
    while not done or not done[-1].is_complete:
        done.append(wave(site, numbers))
        receive_all(site)
        assert len(done) < 12, done
    return done


def states(site: Site) -> list[BatchState]:
    return [batch.state for batch in site.batches()]
