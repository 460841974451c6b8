"""A truncated answer is asked for once more, with twice the room: one rule for all who ask.

Both calls are calls of their own, with keys of their own, so both are kept and each is paid once
over all runs.  Whoever answers from the ledger must follow the same rule, or the live teacher would
later buy the longer call that it did not see.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from infra.teacher.types import Request, Response
from sightline.outcomes import Outcome


async def answer_with_room(
    request: Request, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Return the answer to `request`, or the longer one that replaces a truncated first."""
    first = await answer(request)
    if first.outcome is not Outcome.TRUNCATED:
        return first
    longer = request.with_longer_reply()
    if longer is None:
        return first
    second = await answer(longer)
    if second.outcome is Outcome.ERROR:
        return first
    return replace(second, cut_first=first)
