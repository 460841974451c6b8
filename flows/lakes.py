"""The lake and the ledger that settings name.

Both open without Prefect and without Ray, so that commands and plans can look at them before
either is set up.  The teacher's client, which takes most of a second to import, is needed only
where workers ask.
"""

from typing import TYPE_CHECKING

from infra.lake.lake import Lake
from infra.ledger.ledger import Ledger, Sharing
from infra.settings import Settings
from sightline.arrow_files import is_s3

if TYPE_CHECKING:
    from infra.teacher.remote_worker import LedgerHome

EXPIRY_MARGIN_S = 60.0
"""A machine counts as gone when it was silent for so much longer than its longest call."""


def open_lake_of(settings: Settings) -> Lake:
    """Return the lake that the settings name."""
    return Lake(settings.lake, settings.storage)


def ledger_lake_of(settings: Settings) -> Lake:
    """Return the lake that keeps the ledger, and with it the batches."""
    return Lake(settings.ledger_lake or settings.lake, settings.storage)


def open_ledger_of(settings: Settings, lake: Lake) -> Ledger:
    """Return the ledger that pays for builds of `lake`, its own unless a setting says otherwise.

    Entering it commits what dead processes left in the spool.
    """
    home = lake if settings.ledger_lake is None else ledger_lake_of(settings)
    return Ledger(home, settings.spool_path, _sharing(settings, home))


def ledger_home_of(settings: Settings) -> "LedgerHome":
    """Return how workers open the same ledger."""
    from infra.teacher.remote_worker import LedgerHome  # noqa: PLC0415 - it imports the client

    home = ledger_lake_of(settings)
    return LedgerHome(home.uri, settings.storage, settings.spool_path, _sharing(settings, home))


def _sharing(settings: Settings, home: Lake) -> Sharing:
    on_cluster = settings.teacher_workers > 0 and settings.ray_address is not None
    is_spread = settings.ledger_claims == "auto" and (is_s3(home.uri) or on_cluster)
    return Sharing(
        claims_in_lake=is_spread or settings.ledger_claims == "lake",
        spool_in_lake=settings.spool == "lake",
        expiry_s=settings.teacher_timeout_s + EXPIRY_MARGIN_S,
    )
