"""Claims among machines: one buyer per call, whoever dies, and nobody waits for the dead."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.lake.lake import Lake
from infra.lake.objects import LocalStore, ObjectStore
from infra.ledger.index import slot_of
from infra.ledger.lake_claims import CALLS, LakeClaims, remove_settled_claims
from infra.ledger.ledger import Ledger, Sharing
from infra.ledger.presence import OWNERS, Presence
from infra.ledger.row import CallKey
from tests.infra.teachers import paid_row

KEY: CallKey = ("ab" * 32, 0)
EXPIRY_S = 100.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Machine:
    """One process on a machine of its own, as far as the lake can tell."""

    def __init__(self, objects: ObjectStore, clock: Clock, name: str) -> None:
        self.presence = Presence(objects, EXPIRY_S, clock)
        self.presence.beat()
        self.looks: list[float] = []
        self.claims = LakeClaims(objects, self.presence, name, self.looks.append)

    def acquire(self, key: CallKey = KEY) -> bool:
        return self.claims.acquire(key)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def machines(tmp_path: Path, clock: Clock) -> list[Machine]:
    store = LocalStore(str(tmp_path))
    return [Machine(store, clock, name) for name in "abc"]


def test_claim_of_a_living_machine_excludes_the_others(machines: list[Machine]):
    one, two, _ = machines
    assert one.acquire()
    assert not two.acquire()
    assert two.acquire(("cd" * 32, 0))
    assert two.acquire((KEY[0], 1))


def test_claim_let_go_without_a_purchase_is_free(machines: list[Machine]):
    one, two, three = machines
    assert one.acquire()
    one.claims.let_go(KEY)
    assert two.acquire()
    assert not three.acquire()
    assert not one.claims.acquire(KEY)


def test_claim_kept_for_a_purchase_stays_taken(machines: list[Machine]):
    one, two, _ = machines
    assert one.acquire()
    one.claims.keep(KEY)
    assert not two.acquire()


def test_claim_of_a_machine_that_left_is_free_at_once(machines: list[Machine]):
    one, two, _ = machines
    assert one.acquire()
    one.presence.leave()
    assert two.acquire()


def test_claim_of_a_silent_machine_is_free_after_the_expiry_and_not_before(
    machines: list[Machine], clock: Clock
):
    one, two, three = machines
    assert one.acquire()
    assert not two.acquire()
    for _ in range(5):
        clock.now += EXPIRY_S / 4
        two.presence.beat()
        if clock.now <= 1000 + EXPIRY_S:
            assert not two.acquire()
    assert two.acquire()
    three.presence.beat()
    assert not three.acquire()


def test_claim_of_a_beating_machine_never_expires(machines: list[Machine], clock: Clock):
    one, two, _ = machines
    assert one.acquire()
    for _ in range(12):
        clock.now += EXPIRY_S / 4
        one.presence.beat()
        two.presence.beat()
        assert not two.acquire()


def test_machine_that_others_may_take_for_gone_claims_nothing(
    machines: list[Machine], clock: Clock
):
    one = machines[0]
    clock.now += EXPIRY_S / 2
    assert not one.acquire()
    one.presence.beat()
    assert one.acquire()


def test_claim_left_on_the_same_machine_is_free_at_once(
    tmp_path: Path, clock: Clock, machines: list[Machine]
):
    assert machines[0].acquire()
    restarted = Machine(LocalStore(str(tmp_path)), clock, "a")
    assert restarted.acquire()
    assert not machines[1].acquire()


def test_takeover_looks_at_the_ledger_again_before_it_believes_in_its_claim(
    machines: list[Machine],
):
    one, two, _ = machines
    assert one.acquire()
    one.presence.leave()
    assert two.acquire()
    assert two.looks == [0.0]


@pytest.mark.parametrize("left_by", ["nobody", "a machine that left"])
def test_one_of_many_who_claim_at_once_wins(lake: Lake, clock: Clock, left_by: str):
    racers = [Machine(lake.objects, clock, f"m{n}") for n in range(12)]
    if left_by != "nobody":
        before = Machine(lake.objects, clock, "before")
        assert before.acquire()
        before.presence.leave()
    with ThreadPoolExecutor(len(racers)) as threads:
        won = list(threads.map(Machine.acquire, racers))
    assert won.count(True) == 1


def test_claims_of_paid_calls_are_removed_and_others_stay(tmp_path: Path, machines: list[Machine]):
    one, store = machines[0], LocalStore(str(tmp_path))
    other: CallKey = ("cd" * 32, 0)
    assert one.acquire()
    assert one.acquire(other)
    paid = slot_of(KEY)
    assert remove_settled_claims(store, lambda slot: slot == paid) == 0
    assert remove_settled_claims(store, lambda slot: slot == paid, keep_s=0.0, grace_s=0.0) == 1
    assert [found.key for found in store.list(CALLS)] == [f"{CALLS}{slot_of(other):016x}.0"]
    assert list(store.list(OWNERS)) == []


def test_two_machines_find_what_the_other_one_bought(lake: Lake, tmp_path: Path):
    async def claim(ledger: Ledger) -> bool:
        return await ledger.claims.acquire(row.call_key)

    row, sharing = paid_row(1), Sharing(claims_in_lake=True)
    with (
        Ledger(lake, tmp_path / "one", sharing) as one,
        Ledger(lake, tmp_path / "two", sharing) as two,
    ):
        assert asyncio.run(claim(one))
        assert not asyncio.run(claim(two))
        one.record(row).result()
        one.claims.release(row.call_key)
        assert two.lookup(*row.call_key) is None
        one.flush()
        two.refresh()
        assert two.lookup(*row.call_key) == row
    assert list(lake.objects.list(OWNERS)) == []


def test_call_that_failed_on_one_machine_may_be_bought_by_the_other(lake: Lake, tmp_path: Path):
    async def claim(ledger: Ledger) -> bool:
        return await ledger.claims.acquire(paid_row(1).call_key)

    sharing = Sharing(claims_in_lake=True)
    with Ledger(lake, tmp_path / "two", sharing) as two:
        one = Ledger(lake, tmp_path / "one", sharing)
        assert asyncio.run(claim(one))
        one.claims.release(paid_row(1).call_key)
        one._keeper.stop()
        one._shared_claims.close()  # type: ignore[union-attr] # what it has to say is said
        assert asyncio.run(claim(two))
