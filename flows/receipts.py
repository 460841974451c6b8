"""The ledger rows a build used, copied into its lake when another lake's ledger paid for it.

So that every lake can be queried, checked and priced alone, whoever bought its replies.  A reply
that replaced a cut one is stored under its own key, so the cut one, which was paid too, is found by
what it was asked about.  The copy is one part that a later build replaces; it is never looked up
when calls are bought.
"""

import pyarrow as pa

from infra.catalog.catalog import Catalog
from infra.lake.lake import Lake
from sightline.provenance import Step, fingerprint_of
from sightline.schemas import LEDGER

STEP = Step("receipts", 1)
PART = "receipts"

USED = """
select distinct
    request_key,
    draw,
    subject_id,
    prompt_id,
    teacher
from generations
union
select
    request_key,
    0 as draw,
    item_id as subject_id,
    'embedding' as prompt_id,
    model as teacher
from embeddings
where request_key is not null
order by
    request_key,
    draw,
    subject_id
"""
PAID = f"""
with used as (
    select
        unnest($request_keys) as request_key,
        unnest($draws) as draw
),

asked as (
    select
        unnest($subject_ids) as subject_id,
        unnest($prompt_ids) as prompt_id,
        unnest($teachers) as teacher
)

select {", ".join(LEDGER.payload.names)}
from ledger
where
    (request_key, draw) in (select (request_key, draw) from used)
    or (
        outcome = 'truncated'
        and (subject_id, prompt_id, teacher) in (
            select (subject_id, prompt_id, teacher) from asked
        )
    )
qualify row_number() over (partition by request_key, draw order by received_at, fingerprint) = 1
order by
    request_key,
    draw
"""  # noqa: S608 - the names come from the contract


def keep_receipts(lake: Lake, ledger_lake: Lake) -> int:
    """Copy the rows of `ledger_lake` that the replies in `lake` came from; return how many."""
    with Catalog(lake) as built:
        used = built.query(USED).to_pydict()
    with Catalog(ledger_lake) as payer:
        rows = payer.query(PAID, {f"{name}s": values for name, values in used.items()})
    if rows.num_rows == 0:
        return 0
    keys = [rows["request_key"].to_pylist(), rows["draw"].to_pylist()]
    fingerprint = STEP.fingerprint(fingerprint_of(keys), [])
    _publish(lake, rows.cast(LEDGER.payload), fingerprint)
    return int(rows.num_rows)


def _publish(lake: Lake, receipts: pa.Table, fingerprint: str) -> None:
    if lake.is_done(LEDGER, PART, fingerprint):
        return
    with lake.stage(LEDGER, PART, fingerprint) as writer:
        writer.write(
            LEDGER.with_provenance(
                receipts,
                part=PART,
                run_id=STEP.run_id(PART, fingerprint),
                fingerprint=fingerprint,
            )
        )
        staged = writer.finish()
    lake.publish(LEDGER, [staged])
