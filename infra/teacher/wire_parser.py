"""From an HTTP body of chat completions back to the request it asks: the inverse of `wire_body`.

What others sent is the same paid call as ours if, and only if, this gives the same canonical form.
So it refuses whatever this client would never send (tools, several answers, an image by address,
a level of detail) rather than dropping it: a request that asks something else must not answer ours.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from infra.teacher.types import RESERVED, ImagePart, Request, Turn
from sightline.errors import UsageError

DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
SILENT: Final[Mapping[str, Any]] = {"stream": False, "n": 1}
"""Reserved parameters in the one value that asks for nothing."""


def request_of_body(body: Mapping[str, Any], *, subject_id: str, prompt_id: str) -> Request:
    """Return the request of which `body` is the wire form, as draw 0.

    Raises:
        UsageError: it is no chat completion request, or one that this client would not send.
    """
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not isinstance(messages, list):
        msg = "expected a body with `model` and `messages`"
        raise UsageError(msg)
    rest = {name: value for name, value in body.items() if name not in {"model", "messages"}}
    system, later = _system(messages)
    if not later:
        msg = "expected a user message"
        raise UsageError(msg)
    return Request(
        model=model,
        system=system,
        content=tuple(_content(_message(later[0], "user"))),
        parameters=_parameters(rest),
        prompt_id=prompt_id,
        subject_id=subject_id,
        turns=_turns(later[1:]),
    )


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    asked = {k: v for k, v in given.items() if not (k in SILENT and v == SILENT[k])}
    reserved = sorted(RESERVED & asked.keys())
    if reserved:
        msg = f"parameters {reserved} are not sent by this client"
        raise UsageError(msg)
    return asked


def _system(messages: Sequence[Any]) -> tuple[str | None, Sequence[Any]]:
    if not messages or not isinstance(messages[0], dict) or messages[0].get("role") != "system":
        return None, messages
    return _text(_message(messages[0], "system")), messages[1:]


def _turns(messages: Sequence[Any]) -> tuple[Turn, ...]:
    if len(messages) % 2:
        msg = "expected a user message after each reply"
        raise UsageError(msg)
    return tuple(
        Turn(_text(_message(reply, "assistant")), _text(_message(said, "user")))
        for reply, said in list(pairwise(messages))[::2]
    )


def _message(message: Any, role: str) -> Any:
    """Return the content of a message of `role` that holds nothing else."""
    found = message if isinstance(message, dict) else {}
    if found.get("role") != role or found.keys() != {"role", "content"}:
        msg = f"expected a {role} message of content alone, found keys {sorted(found)}"
        raise UsageError(msg)
    return found["content"]


def _text(content: Any) -> str:
    if not isinstance(content, str):
        msg = f"expected a message of text, found {type(content).__name__}"
        raise UsageError(msg)
    return content


def _content(content: Any) -> Iterator[str | ImagePart]:
    """Yield the parts of the first user message; a bare string is one text part."""
    if isinstance(content, str):
        yield content
        return
    if not isinstance(content, list):
        msg = f"expected text or a list of parts, found {type(content).__name__}"
        raise UsageError(msg)
    for part in content:
        match part:
            case {"type": "text", "text": str() as text, **more} if not more:
                yield text
            case {"type": "image_url", "image_url": {"url": str() as url, **detail}, **more} if (
                not detail and not more
            ):
                yield _image(url)
            case _:
                msg = f"expected a part of text or an image by its URL alone, found {_shape(part)}"
                raise UsageError(msg)


def _image(url: str) -> ImagePart:
    found = DATA_URL.fullmatch(url)
    if found is None:
        msg = "expected an image as base64 in a data URL: what another address held is unknown"
        raise UsageError(msg)
    try:
        data = base64.b64decode(found[2], validate=True)
    except binascii.Error as exc:
        msg = f"an image is no base64: {exc}"
        raise UsageError(msg) from exc
    return ImagePart(hashlib.sha256(data).hexdigest(), data, found[1])


def _shape(part: Any) -> str:
    return f"keys {sorted(map(str, part))}" if isinstance(part, dict) else type(part).__name__
