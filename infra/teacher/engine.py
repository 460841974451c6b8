"""The teacher engine: the ledger first; what is not in it is bought once, whoever asks.

One background thread runs one event loop that owns the connections, the permits and the map of
calls in flight; `submit` may be called from any thread or loop.  So Prefect task threads, a
notebook and a test share one set of limits, and a caller that is cancelled never takes a paid
call down with it: the call goes on, is recorded, and the next one who asks finds it.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from infra.ledger.row import CallKey
from infra.teacher.buying import Buyer, EngineOptions, Spending
from infra.teacher.permits import Permits
from infra.teacher.reply import response_of
from infra.teacher.stats import StatsCounter, TeacherStats
from infra.teacher.transport import Transport
from infra.teacher.truncation import answer_with_room
from infra.teacher.types import Request, Response
from infra.teacher.wire import Call
from sightline.closable import Closable
from sightline.errors import TeacherError
from sightline.outcomes import Outcome

CLAIM_POLL_S: Final = 0.05
THREADS: Final = 4
"""For ledger look-ups, which read files."""
CLOSED: Final = "the teacher is closed; open a new one"


class Teacher(Closable):
    """Answers requests through the ledger; open one per run and process, and close it.

    Args:
        routes: the way to each endpoint, by its name.
        permits: who may send, now, and where; used in the teacher's own event loop.
        spending: the ledger and the prices.
        options: how it runs.
    """

    def __init__(
        self,
        routes: Mapping[str, Transport],
        permits: Permits,
        spending: Spending,
        options: EngineOptions,
    ) -> None:
        self._routes, self._permits, self._options = dict(routes), permits, options
        self._ledger = spending.ledger
        self._counter = StatsCounter()
        self._closing = False
        self._in_flight: dict[CallKey, asyncio.Task[Response]] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="teacher")
        self._buyer = Buyer(self._routes, permits, spending, options, self._counter)
        self._stop_sign = self._buyer.stop_sign
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="teacher", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> TeacherStats:
        """Return the counts so far and what the limits are now; from any thread."""
        return self._counter.snapshot(self._permits.state)

    async def ask(self, request: Request) -> Response:
        """Return what became of `request`; from any event loop.

        Raises:
            UsageError: the request has no stable form.
            TeacherError: the endpoint as a whole is unusable; every later call that is not in
                the ledger fails alike.
            BudgetError: the call would cross a cap; later calls as above.
            LakeError: a response could not be made durable; later calls as above.
        """
        return await asyncio.wrap_future(self.submit(request))

    def ask_sync(self, request: Request) -> Response:
        """Return what became of `request`; blocks the calling thread.  Raises as `ask` does."""
        return self.submit(request).result()

    def submit(self, request: Request) -> "Future[Response]":
        """Return the future answer of `request`; from any thread.  It raises as `ask` does."""
        if self._closing:
            raise TeacherError(CLOSED)
        return asyncio.run_coroutine_threadsafe(self._ask(request), self._loop)

    def close(self) -> None:
        """Let calls in flight arrive, start none, and end the thread; idempotent."""
        if self._closing:
            return
        self._closing = True
        asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._threads.shutdown()

    async def _ask(self, request: Request) -> Response:
        """Return the answer; a truncated one is asked again, once, with twice the room."""
        if not self._options.retry_truncated:
            return await self._answer(request)
        return await answer_with_room(request, self._answer)

    async def _answer(self, request: Request) -> Response:
        """Return the answer, shared by all who ask for the same call at once."""
        call = Call.of(request)
        task = self._in_flight.get(call.key)
        if task is not None:
            shared = await asyncio.shield(task)
            is_paid = shared.outcome is not Outcome.ERROR
            self._counter.reused += is_paid
            return replace(shared, reused=is_paid)
        task = self._loop.create_task(self._find_or_buy(call))
        self._in_flight[call.key] = task
        task.add_done_callback(lambda done: self._forget(call.key, done))
        return await asyncio.shield(task)

    def _forget(self, key: CallKey, done: "asyncio.Task[Response]") -> None:
        """Drop a finished call; its error counts as seen even if every caller has gone."""
        del self._in_flight[key]
        if not done.cancelled():
            done.exception()

    async def _find_or_buy(self, call: Call) -> Response:
        found = await self._lookup(call.key)
        if found is not None:
            return found
        self._check_reserved(call.key)
        self._stop_sign.check()
        while not await self._ledger.claims.acquire(call.key):
            await self._stop_sign.pause(CLAIM_POLL_S)
            self._stop_sign.check()
            found = await self._lookup(call.key)  # a claim outlives the purchase it was for
            if found is not None:
                return found
        try:
            return await self._lookup(call.key) or await self._buyer.buy(call)
        except TeacherError as error:
            self._buyer.stop(error)
            raise
        finally:
            self._ledger.claims.release(call.key)

    def _check_reserved(self, key: CallKey) -> None:
        """Stop if the call is being bought in another way, such as a batch; it would cost twice."""
        reason = self._options.reserved(key) if self._options.reserved else None
        if reason is not None:
            raise TeacherError(reason)

    async def _lookup(self, key: CallKey) -> Response | None:
        row = await self._loop.run_in_executor(self._threads, self._ledger.lookup, *key)
        if row is None:
            return None
        self._counter.reused += 1
        return response_of(row, reused=True)

    async def _drain(self) -> None:
        """Wait for calls on the wire; what waits for its turn or to try again gives up."""
        self._buyer.stop(TeacherError(CLOSED))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            _, late = await asyncio.wait(others, timeout=self._options.drain_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for transport in self._routes.values():
            await transport.close()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
