"""Budget: caps hold whatever is in flight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.teacher.budget import Budget, Caps
from sightline.errors import BudgetError


def test_reserve_with_calls_in_flight_waits_instead_of_stopping():
    budget = Budget(Caps(usd=1.0))
    first = budget.reserve(0.8)
    assert first is not None
    assert budget.reserve(0.8) is None
    budget.settle(first, 0.1)
    assert budget.reserve(0.8) is not None


def test_reserve_that_cannot_fit_stops_for_good():
    budget = Budget(Caps(usd=1.0))
    with pytest.raises(BudgetError, match=r"cap of 1\.00 USD"):
        budget.reserve(1.5)
    with pytest.raises(BudgetError):
        budget.reserve(0.1)


def test_call_cap_counts_calls_in_flight():
    budget = Budget(Caps(calls=2))
    first, second = budget.reserve(0), budget.reserve(0)
    assert first is not None
    assert second is not None
    assert budget.reserve(0) is None
    budget.settle(first, None)
    budget.settle(second, None)
    with pytest.raises(BudgetError, match="cap of 2 calls"):
        budget.reserve(0)


def test_released_call_frees_its_place():
    budget = Budget(Caps(calls=1))
    first = budget.reserve(0)
    assert first is not None
    budget.release(first)
    assert budget.reserve(0) is not None


def test_lost_call_keeps_its_worst_case():
    budget = Budget(Caps(usd=1.0))
    lost = budget.reserve(0.7)
    assert lost is not None
    budget.lose(lost)
    assert (budget.at_risk_usd, budget.spent_usd, budget.calls) == (0.7, 0.0, 1)
    with pytest.raises(BudgetError, match="at risk"):
        budget.reserve(0.4)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["settle", "lose"]))),
    st.integers(1, 5),
)
def test_spending_never_crosses_the_cap(calls: list[tuple[float, float, str]], width: int):
    budget, held = Budget(Caps(usd=2.0)), []
    for worst_case_usd, share, end in calls:
        try:
            reservation = budget.reserve(worst_case_usd)
        except BudgetError:
            break
        if reservation is not None:
            held.append((reservation, share, end))
        if len(held) >= width or reservation is None:
            taken, part, how = held.pop(0)
            if how == "settle":
                budget.settle(taken, taken.worst_case_usd * part)
            else:
                budget.lose(taken)
    assert budget.spent_usd + budget.at_risk_usd <= 2.0 + 1e-9
