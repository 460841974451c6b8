"""What chains still have to buy, found out by asking the ledger alone.

The chains are walked as a build walks them, each until it is finished or meets a call that nobody
has bought.  So the calls found, and the next call of every chain that goes on, are exact; what a
reply that does not exist yet leads to can only be estimated, by whoever reads this.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

from infra.images.decode import inspect_header
from infra.ledger.row import CallKey, LedgerRow
from infra.teacher.batch.wanted import CallWantedError
from infra.teacher.reply import response_of
from infra.teacher.truncation import answer_with_room
from infra.teacher.types import Request, Response
from tasks.asking.in_order import GoOn, in_order
from tasks.asking.places import Places
from tasks.distill.asks import Ask
from tasks.distill.case import ChainCase
from tasks.distill.chain import next_ask
from tasks.distill.rounds import reply_of, run_chain
from tasks.distill.stages import Stage
from tasks.distill.views import ViewCutter

WALKED_AT_ONCE = 8
PATCH_PX = 28
"""Side of the square that a vision model makes one token of: 28 px in Qwen2.5-VL, 32 in GPT-4.1."""


class BoughtCalls(Protocol):
    """Whatever knows the calls that were bought."""

    def lookup(self, request_key: str, draw: int) -> LedgerRow | None:
        """Return the call if it was paid."""
        ...


@dataclass(frozen=True, slots=True)
class WantedCall:
    """The first call of a chain that nobody has bought.

    Attributes:
        key: of the call; null if it cannot be known before its part is annotated.
        stage: what its reply is for.
        round: position in the chain, from 1.
        text_bytes: length of its text.
        image_tokens: what its pictures may count as.
    """

    key: CallKey | None
    stage: Stage
    round: int
    text_bytes: int
    image_tokens: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What some chains have and need.

    Attributes:
        chains: how many there are.
        known: calls that the ledger holds.
        wanted: next calls of the chains that go on, one per call even if chains share it.
    """

    chains: int = 0
    known: frozenset[CallKey] = frozenset()
    wanted: tuple[WantedCall, ...] = ()


def together(forecasts: Iterable[Forecast]) -> Forecast:
    """Return the sum of forecasts; a call that several of them want or hold counts once."""
    listed = list(forecasts)
    return Forecast(
        chains=sum(one.chains for one in listed),
        known=frozenset(key for one in listed for key in one.known),
        wanted=tuple(_once(call for one in listed for call in one.wanted)),
    )


def forecast(cases: Sequence[ChainCase], bought: BoughtCalls, make_view: ViewCutter) -> Forecast:
    """Return what chains have and need."""
    return together(asyncio.run(_walk_all(cases, bought, make_view)))


def forecast_unannotated(cases: Sequence[ChainCase]) -> Forecast:
    """Return what chains need of which nothing that their prompts list is known yet."""
    first = [(case, next_ask(case, [])) for case in cases]
    wanted = tuple(_unseen(case, ask) for case, ask in first if isinstance(ask, Ask))
    return Forecast(len(cases), frozenset(), wanted)


async def _walk_all(
    cases: Sequence[ChainCase], bought: BoughtCalls, make_view: ViewCutter
) -> list[Forecast]:
    async def run(case: ChainCase, _go_on: GoOn) -> Forecast:
        return await _walk(case, bought, make_view)

    return [found async for found in in_order(cases, run, Places(WALKED_AT_ONCE))]


async def _walk(case: ChainCase, bought: BoughtCalls, make_view: ViewCutter) -> Forecast:
    asker = LedgerAsker(bought)
    with suppress(CallWantedError):
        await run_chain(case, asker.ask, make_view)
    replies = [reply_of(response) for response in asker.answers]
    ask = next_ask(case, replies)
    wanted: list[WantedCall] = []
    if isinstance(ask, Ask):
        wanted = [wanted_call(request, ask.stage, ask.round) for request in asker.wanted]
    return Forecast(1, frozenset(asker.known), tuple(wanted))


@dataclass(slots=True)
class LedgerAsker:
    """Answers from the ledger and notes the calls that it holds, and those that it lacks."""

    bought: BoughtCalls
    known: set[CallKey] = field(default_factory=set)
    wanted: list[Request] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    async def ask(self, request: Request) -> Response:
        """Return the answer that was bought.

        Raises:
            CallWantedError: none was.
        """
        answer = await answer_with_room(request, self._answer)
        self.answers.append(answer)
        return answer

    async def _answer(self, request: Request) -> Response:
        key = request.call_key
        row = await asyncio.to_thread(self.bought.lookup, *key)
        if row is None:
            self.wanted.append(request)
            raise CallWantedError
        self.known.add(key)
        return response_of(row, reused=True)


def wanted_call(request: Request, stage: Stage, round_: int) -> WantedCall:
    """Return what is known of a call that nobody has bought."""
    headers = [inspect_header(image.data) for image in request.images]
    tokens = sum(image_tokens(header.width, header.height) for header in headers)
    return WantedCall(request.call_key, stage, round_, request.text_bytes, tokens)


def _unseen(case: ChainCase, ask: Ask) -> WantedCall:
    longest = max(case.width, case.height, 1)
    scale = min(1.0, case.params.max_view_px / longest)
    tokens = image_tokens(int(case.width * scale), int(case.height * scale))
    return WantedCall(None, ask.stage, ask.round, len(ask.prompt.encode()), tokens)


def image_tokens(width: int, height: int) -> int:
    """Return the tokens of a picture: one per patch of `PATCH_PX`, begun ones included."""
    return ceil(width / PATCH_PX) * ceil(height / PATCH_PX)


def _once(calls: Iterable[WantedCall]) -> Iterator[WantedCall]:
    """Yield calls, those that several chains wait for once."""
    seen: set[CallKey] = set()
    for call in calls:
        if call.key is None or call.key not in seen:
            yield call
        if call.key is not None:
            seen.add(call.key)
