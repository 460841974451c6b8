"""The batches of a lake as the settings reach them: opened, collected, cancelled, printed.

No Prefect here: the commands `sightline batch ...` and the flows use the same functions.  Batches
belong to the lake whose ledger pays, which for a pilot is the main one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flows.inspection import text_table
from flows.lakes import open_lake_of, open_ledger_of
from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger
from infra.settings import Settings
from infra.teacher.batch.client import BatchEndpoint
from infra.teacher.batch.desk import BatchDesk, BatchOptions
from infra.teacher.batch.outbox import FileLimits
from infra.teacher.batch.receiving import Received
from infra.teacher.batch.record import Batch, BatchState
from infra.teacher.budget import Caps
from infra.teacher.endpoints import Endpoint
from infra.teacher.prices import Prices

BYTES_PER_MB = 1_000_000


@contextmanager
def open_batch_desk(
    settings: Settings, ledger: Ledger, endpoints: Sequence[Endpoint]
) -> Iterator[BatchDesk]:
    """Give the batches of the settings' lake.

    Args:
        settings: caps and limits.
        ledger: of the lake whose batches they are.
        endpoints: where models are served; of an endpoints file, those marked `batch: true`.
    """
    with_batches = [e for e in endpoints if e.batch or settings.endpoints_file is None]
    options = BatchOptions(
        endpoints=[_batch_endpoint(endpoint, settings) for endpoint in with_batches],
        limits=FileLimits(settings.batch_max_requests, settings.batch_max_mb * BYTES_PER_MB),
        caps=Caps(settings.budget_usd, settings.budget_calls),
    )
    prices = Prices.load(settings.prices_file)
    desk = BatchDesk(ledger, prices, options)
    try:
        yield desk
    finally:
        desk.close()


def collect_finished(settings: Settings) -> list[Received]:
    """Return what became of every open batch; answers are in the ledger.

    Raises:
        TeacherError: an endpoint does not answer.
    """
    with (
        open_ledger_of(settings, open_lake_of(settings)) as ledger,
        open_batch_desk(settings, ledger, settings.endpoints) as desk,
    ):
        return desk.receive()


def cancel_batch(settings: Settings, batch_key: str, *, forget: bool) -> Batch:
    """Return the batch, its end asked for, or given up without asking the endpoint.

    Raises:
        UsageError: no open batch has this key, or its endpoint is not in the settings.
        TeacherError: the endpoint does not answer.
    """
    with (
        open_ledger_of(settings, open_lake_of(settings)) as ledger,
        open_batch_desk(settings, ledger, settings.endpoints) as desk,
    ):
        return desk.forget(batch_key) if forget else desk.cancel(batch_key)


def batch_table(lake: Lake) -> str:
    """Return the batches of a lake as text, newest first."""
    with Catalog(lake) as catalog:
        return text_table(catalog.run_query("batches"))


def sentence_about(received: Sequence[Received]) -> str:
    """Return what a collection brought, in one line."""
    collected = [found for found in received if found.batch.state is BatchState.COLLECTED]
    refused = [found for found in received if found.is_refused]
    n_answers = sum(found.batch.n_answered or 0 for found in collected)
    cost_usd = sum(found.batch.cost_usd or 0.0 for found in collected)
    text = (
        f"{len(collected)} batches collected: {n_answers} answers for ${cost_usd:.2f}; "
        f"{sum(found.batch.is_open for found in received)} still open"
    )
    return text + (f"; {len(refused)} refused: {refused[0].batch.detail}" if refused else "")


def _batch_endpoint(endpoint: Endpoint, settings: Settings) -> BatchEndpoint:
    return BatchEndpoint(
        base_url=endpoint.base_url,
        models=endpoint.models,
        api_key=endpoint.api_key,
        url=settings.batch_url,
        timeout_s=endpoint.timeout_s,
    )
