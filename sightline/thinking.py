"""Where the thinking of a reply ends and what it says begins; the one rule for both.

Models mark their thinking with tags of several vocabularies, and chat templates and limits cut
either end off.  Easy to get wrong: a tag that a reply merely mentions is text, so an opening tag
that nothing closes counts only where thinking may begin: at the start, or after earlier thinking.
"""

import re

OPEN_THINKING = re.compile(
    r"<think(?:ing)?>|◁think▷|\[THINK\]|<seed:think>|<\|channel>thought\b", re.IGNORECASE
)
CLOSE_THINKING = re.compile(
    r"</think(?:ing)?>|◁/think▷|\[/THINK\]|</seed:think>|<channel\|>", re.IGNORECASE
)


def split_thinking(text: str) -> tuple[str | None, str]:
    """Return (thinking, the rest) of a reply; null thinking if there is none.

    A missing opening tag means that the text began inside the thinking, as it does where the chat
    template has opened it; a missing end means that all that follows is thinking and nothing was
    said.  Text without thinking comes back unchanged, otherwise both are stripped.
    """
    closings = list(CLOSE_THINKING.finditer(text))
    opening = OPEN_THINKING.search(text)
    if not closings:
        if opening is None or text[: opening.start()].strip():
            return None, text
        return _or_none(text[opening.end() :]), ""
    last = closings[-1]
    opened = opening is not None and opening.end() <= closings[0].start()
    before, start = (text[: opening.start()], opening.end()) if opening and opened else ("", 0)
    after = text[last.end() :]
    again = OPEN_THINKING.search(after)
    said = before + (after[: again.start()] if again else after)
    return _or_none(text[start : last.start()]), said.strip()


def join_thinking(thinking: str | None, text: str) -> str:
    """Return a reply as if its model wrote into the text what the endpoint returned apart.

    A reply that thinks in its text too comes back unchanged.  Where nothing follows the thinking,
    it never ended.
    """
    inline, said = split_thinking(text)
    if thinking is None or inline is not None:
        return text
    return f"<think>{thinking}</think>{said}" if said.strip() else f"<think>{thinking}"


def _or_none(text: str) -> str | None:
    return text.strip() or None
