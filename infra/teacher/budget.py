"""Hard caps in dollars and calls, checked before each call with every call in flight counted.

A call *reserves* the most it can cost, then *settles* to what it did cost.  While calls in flight
hold reservations, a call that does not fit now may fit once they settle, so it waits; only when
it does not fit with nothing in flight is the budget spent.  From then on every new call is
refused, which stops a run at one clear point instead of letting cheap calls trickle through.
A call that ended without an answer after it was sent may still be billed: it keeps its worst
case, and `at_risk_usd` shows the sum.  Sums are kept in whole pico-dollars, so that they stay exact
over a million calls and cost the same with one call in flight as with a thousand.
"""

import threading
from dataclasses import dataclass
from typing import Final

from sightline.errors import BudgetError

PICO: Final = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class Caps:
    """The most this run may spend; null is no cap."""

    usd: float | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The worst case of one call in flight."""

    worst_case_usd: float


class Budget:
    """Spending of one run against its caps; safe to use from several threads."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._lock = threading.Lock()
        self._spent = self._at_risk = self._held = 0
        self._calls = self._calls_held = 0
        self._stopped: str | None = None

    @property
    def spent_usd(self) -> float:
        """Return what the responses received so far cost."""
        return self._spent / PICO

    @property
    def at_risk_usd(self) -> float:
        """Return the worst case of calls that were sent and never answered."""
        return self._at_risk / PICO

    @property
    def calls(self) -> int:
        """Return the calls that were or may be billed."""
        return self._calls

    def reserve(self, worst_case_usd: float) -> Reservation | None:
        """Return a reservation, or null if the call has to wait for calls in flight.

        Raises:
            BudgetError: the call would cross a cap even with nothing in flight, or one before did.
        """
        with self._lock:
            if self._stopped is not None:
                raise BudgetError(self._stopped)
            refusal = self._refusal(worst_case_usd)
            if refusal is None:
                self._calls_held += 1
                self._held += _pico(worst_case_usd)
                return Reservation(worst_case_usd)
            if self._calls_held:
                return None
            self._stopped = refusal
        raise BudgetError(refusal)

    def settle(self, reservation: Reservation, cost_usd: float | None) -> None:
        """Turn a reservation into spending; a null cost (no price listed) adds a call only."""
        with self._lock:
            self._drop(reservation)
            self._calls += 1
            self._spent += _pico(cost_usd or 0.0)

    def release(self, reservation: Reservation) -> None:
        """Give a reservation back: the endpoint refused the call, nothing is billed."""
        with self._lock:
            self._drop(reservation)

    def lose(self, reservation: Reservation) -> None:
        """Keep the worst case of a call that was sent and not answered."""
        with self._lock:
            self._drop(reservation)
            self._calls += 1
            self._at_risk += _pico(reservation.worst_case_usd)

    def _drop(self, reservation: Reservation) -> None:
        self._calls_held -= 1
        self._held -= _pico(reservation.worst_case_usd)

    def _refusal(self, worst_case_usd: float) -> str | None:
        if self.caps.calls is not None and self._calls + self._calls_held >= self.caps.calls:
            return (
                f"the cap of {self.caps.calls} calls is reached; everything bought is kept: "
                "raise the cap and run again to go on"
            )
        most = self._spent + self._at_risk + self._held + _pico(worst_case_usd)
        if self.caps.usd is not None and most > _pico(self.caps.usd):
            return (
                f"the next call can cost {worst_case_usd:.6f} USD and would cross the cap of "
                f"{self.caps.usd:.2f} USD ({self.spent_usd:.6f} spent, {self.at_risk_usd:.6f} "
                "at risk); everything bought is kept: raise the cap and run again to go on"
            )
        return None


def _pico(usd: float) -> int:
    return round(usd * PICO)
