"""From a request to the bytes that are sent: images are encoded once while in use.

Rounds, draws and repairs of one view send the same picture, so its base64 stays in a small cache
while it is in use.  The body is the JSON text with each picture's text put in its place as bytes:
a JSON library would look for characters to escape in half a megabyte that cannot hold any.
"""

import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Self

from infra.ledger.row import CallKey
from infra.teacher.types import ImagePart, Request, data_url

CACHE_BYTES: Final = 64 * 1024 * 1024
"""About 150 pictures of 300 kB."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request with its canonical form and key, which are sha256 over all of it."""

    request: Request
    request_json: str
    key: CallKey

    @classmethod
    def of(cls, request: Request) -> Self:
        """Return the call that `request` asks for.

        Raises:
            UsageError: the request has no stable form.
        """
        text = request.request_json
        return cls(request, text, (request.key_of(text), request.draw))


class BodyWriter:
    """Writes HTTP bodies; used in one thread."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._room = cache_bytes
        self._urls: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._mark = f"image-{uuid.uuid4().hex}"
        self._mark_bytes = self._mark.encode()

    def body(self, request: Request) -> bytes:
        """Return what `Request.wire_body` returns.

        Raises:
            UsageError: an image's id is not the sha256 of its bytes.
        """
        first, *others = request.wire_body(lambda _: self._mark).split(self._mark_bytes)
        pieces = [first]
        for image, piece in zip(request.images, others, strict=True):
            pieces += (self._url(image), piece)
        return b"".join(pieces)

    def _url(self, image: ImagePart) -> bytes:
        name = (image.image_id, image.media_type)
        url = self._urls.pop(name, None)
        if url is None:
            url = data_url(image).encode("ascii")
            self._room -= len(url)
        self._urls[name] = url
        while self._room < 0 and len(self._urls) > 1:
            self._room += len(self._urls.popitem(last=False)[1])
        return url
