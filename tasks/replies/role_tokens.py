"""Chat-template tokens that leak into a reply: where its author's turn ends.

What follows such a token was written in another role, often a made-up user, and is not part of
the reply.  Tokens at the very start only open the turn.
"""

import re

_TOKEN = re.compile(
    r"<\|(?:im_(?:start|end|user|assistant|system|middle)|start_header_id|end_header_id|eot_id"
    r"|eom_id|endoftext|end_of_text|begin_of_text|user|assistant|system|end)\|>"
    r"|<end_of_utterance>|<(?:start|end)_of_turn>"
)
_OPENING = re.compile(rf"(?:\s*+(?:{_TOKEN.pattern})(?:(?:user|assistant|system|model)\b)?+)++\s*+")


def has_role_token(text: str) -> bool:
    """Return whether a chat-template token stands in `text`."""
    return _TOKEN.search(text) is not None


def own_turn(text: str) -> str:
    """Return the author's own turn of `text`."""
    opening = _OPENING.match(text)
    start = opening.end() if opening else 0
    following = _TOKEN.search(text, start)
    return text[start : following.start()] if following else text[start:]
