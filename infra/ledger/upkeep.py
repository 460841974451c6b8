"""What a ledger needs now and then: orphans committed, parts joined, settled objects removed.

Safe beside running builds; nothing here removes a row.
"""

from dataclasses import dataclass

from infra.ledger.compaction import Compaction, compact_ledger
from infra.ledger.lake_claims import remove_settled_claims
from infra.ledger.lake_segments import remove_old_seals
from infra.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done.

    Attributes:
        recovered: responses that dead processes had left in a spool.
        compaction: of the table's parts.
        removed: objects of claims and spools in the lake that nobody needs any more.
    """

    recovered: int
    compaction: Compaction
    removed: int


def keep_up(ledger: Ledger) -> Upkeep:
    """Do what the ledger needs; a minute may pass before old claims are removed.

    Raises:
        LakeError: the lake refuses.
    """
    recovered = sum(commit.rows for commit in ledger.recover())
    compaction = compact_ledger(ledger.lake)
    ledger.refresh()
    objects = ledger.lake.objects
    removed = remove_settled_claims(objects, ledger.holds_slot) + remove_old_seals(objects)
    return Upkeep(recovered, compaction, removed)
