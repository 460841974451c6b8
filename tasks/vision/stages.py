"""Headers, decoding, the network, rows: the stages every image worker runs, without torch.

Headers tell sizes before anything is decoded, so pictures are put into passes of one exact shape
first (padding would change the numbers) and only the pixels of a few waves are ever in memory.  On
a device of its own the stages of neighbouring waves overlap.  On a CPU every pass goes through all
stages in one thread, and there are as many threads as lanes: no stage waits for another, and no
core for its neighbour.  Such a pass has one picture: the last bit of a float depends on what it is
computed beside, and a map must not depend on the cores or on a neighbour that cannot be decoded.

Rows come out in the batch's order, and a picture that cannot be used is a failure of its row only.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import pyarrow as pa

from infra.images.decode import ImageProblem, decode, inspect_header
from infra.pool.workers import RowFailure, WorkerOutput
from sightline.schemas import Contract
from tasks.vision.pictures import RGB, Picture

T = TypeVar("T")
S = TypeVar("S")
U = TypeVar("U")

Row = Mapping[str, Any]

Shape = Any
"""Hashable; of the input of one network its `Size`.  The stages only compare it."""

WAVE_PICTURES: Final = 16
"""Pictures decoded together, enough to keep the cores of one worker busy."""

WAVE_BYTES: Final = 256 << 20
"""Decoded pixels of a wave, unless one picture alone has more."""

AHEAD: Final = 1
"""Waves that wait between two stages where the device works by itself."""


class Pass(Protocol):
    """Some pictures on their way through the network."""

    @property
    def pictures(self) -> Sequence[Picture]:
        """Return the pictures, in order."""
        ...

    def wait(self) -> Sequence[Any]:
        """Return what the network says about each of them.

        Raises:
            ImageProblem: it can say nothing about any of them.
        """
        ...


class Network(Protocol):
    """What the stages drive; `infer` is called from one thread if overlapped, the rest from any."""

    @property
    def is_overlapped(self) -> bool:
        """Tell whether the device computes by itself while this process does other work."""
        ...

    @property
    def threads(self) -> int:
        """Return how many threads should decode and encode, and compute unless overlapped."""
        ...

    def size(self, width: int, height: int) -> Shape:
        """Return the network's input for a picture."""
        ...

    def batch_size(self, size: Shape) -> int:
        """Return how many pictures of `size` a pass takes."""
        ...

    def staged(self, rgb: RGB, size: Shape) -> Any:
        """Return what is kept of a picture until its pass."""
        ...

    def infer(self, batch: Sequence[tuple[Picture, Any]], size: Shape) -> Sequence[Pass]:
        """Begin the passes over pictures of one shape; in order."""
        ...


@dataclass(frozen=True, slots=True)
class _Group:
    """Pictures of one shape."""

    size: Shape
    pictures: Sequence[Picture]


_Wave = Sequence[_Group]
Outcome = Sequence[Row] | RowFailure
"""Of one picture."""


class Stages:
    """Callable on tables with `image_id` and `bytes`; gives rows of one contract.

    Attributes:
        network: on its device.
        contract: of the rows.
        is_concurrent: two batches at once are faster than one after the other: the second fills
            the threads or the device while the last of the first are under way.
    """

    def __init__(
        self,
        network: Network,
        rows_of: Callable[[Picture, Any], Sequence[Row]],
        contract: Contract,
    ) -> None:
        """Start no thread yet.

        Args:
            network: on its device.
            rows_of: from what the network says about a picture to rows; called from several
                threads, and raises `ImageProblem` where it says nothing usable.
            contract: of the rows.
        """
        self.network = network
        self.contract = contract
        self._rows_of = rows_of
        self.is_concurrent = True
        self._hands = ThreadPoolExecutor(network.threads, "pictures")
        self._device = ThreadPoolExecutor(1, "network")

    def __call__(self, batch: pa.Table) -> WorkerOutput:
        """Return the rows of every usable picture, in the batch's order."""
        return output_of(self.contract, self.outcomes(batch))

    def outcomes(self, batch: pa.Table) -> list[Outcome]:
        """Return what became of each row of the batch."""
        data = batch["bytes"].to_pylist()
        outcomes: dict[int, Outcome] = {}
        pictures = list(self._inspected(batch, data, outcomes))
        if self.network.is_overlapped:
            self._overlapped(pictures, data, outcomes)
        else:
            self._side_by_side(pictures, data, outcomes)
        return [outcomes[row] for row in range(batch.num_rows)]

    def _overlapped(
        self, pictures: Sequence[Picture], data: Sequence[bytes], outcomes: dict[int, Outcome]
    ) -> None:
        """Work in waves whose stages overlap."""
        loads = _staggered(
            _waves(self._groups(pictures)),
            AHEAD,
            lambda wave: self._load(wave, data),
            lambda loading: _loaded(loading, outcomes),
        )
        passes = _staggered(loads, AHEAD, self._infer, Future.result)
        for written in _staggered(passes, AHEAD, self._write, _results):
            outcomes.update(written)

    def _side_by_side(
        self, pictures: Sequence[Picture], data: Sequence[bytes], outcomes: dict[int, Outcome]
    ) -> None:
        """Work on passes of one picture, each from bytes to rows in one thread."""
        groups = self._groups(pictures, most=1)
        begun = [self._hands.submit(self._whole_pass, group, data) for group in groups]
        try:
            for future in begun:
                outcomes.update(future.result())
        finally:
            for future in begun:
                future.cancel()

    def _whole_pass(self, group: _Group, data: Sequence[bytes]) -> dict[int, Outcome]:
        loading = [(group, [_done(self._staged(p, data, group.size)) for p in group.pictures])]
        outcomes: dict[int, Outcome] = {}
        for size, batch in _loaded(loading, outcomes):
            for done in self.network.infer(batch, size):
                for picture, said in zip(done.pictures, said_by(done), strict=True):
                    outcomes[picture.row] = self.written(picture, said)
        return outcomes

    def _inspected(
        self, batch: pa.Table, data: Sequence[bytes], outcomes: dict[int, Outcome]
    ) -> Iterator[Picture]:
        names = [name for name in batch.column_names if name != "bytes"]
        for row, columns in enumerate(batch.select(names).to_pylist()):
            image_id = columns["image_id"]
            try:
                header = inspect_header(data[row])
            except ImageProblem as problem:
                outcomes[row] = RowFailure(image_id, problem.code, problem.detail)
            else:
                yield Picture(row, image_id, header.width, header.height, columns)

    def _groups(self, pictures: Iterable[Picture], most: int | None = None) -> Iterator[_Group]:
        """Yield passes of at most `most`; lazily, because the network learns how much fits."""
        shapes: dict[Shape, deque[Picture]] = {}
        for picture in pictures:
            size = self.network.size(picture.width, picture.height)
            shapes.setdefault(size, deque()).append(picture)
        for size, members in shapes.items():
            while members:
                fits = self.network.batch_size(size)
                yield _Group(size, _popped(members, min(fits, most or fits)))

    def _load(self, wave: _Wave, data: Sequence[bytes]) -> list[tuple[_Group, list[Future[Any]]]]:
        return [
            (group, [self._hands.submit(self._staged, p, data, group.size) for p in group.pictures])
            for group in wave
        ]

    def _staged(self, picture: Picture, data: Sequence[bytes], size: Shape) -> Any:
        try:
            return self.network.staged(decode(data[picture.row]).rgb, size)
        except ImageProblem as problem:
            return RowFailure(picture.image_id, problem.code, problem.detail)

    def _infer(self, loaded: Sequence[tuple[Shape, Any]]) -> "Future[list[Pass]]":
        def run() -> list[Pass]:
            return [done for size, batch in loaded for done in self.network.infer(batch, size)]

        return self._device.submit(run)

    def _write(self, passes: Sequence[Pass]) -> "list[tuple[int, Future[Outcome]]]":
        """Wait for the network, then begin to make rows."""
        return [
            (picture.row, self._hands.submit(self.written, picture, said))
            for done in passes
            for picture, said in zip(done.pictures, said_by(done), strict=True)
        ]

    def written(self, picture: Picture, said: Any) -> Outcome:
        """Return the rows of a picture, or the verdict on it."""
        try:
            if isinstance(said, ImageProblem):
                raise said
            return self._rows_of(picture, said)
        except ImageProblem as problem:
            return RowFailure(picture.image_id, problem.code, problem.detail)


def output_of(contract: Contract, outcomes: Iterable[Outcome]) -> WorkerOutput:
    """Return rows and failures, each in the order of `outcomes`."""
    made = list(outcomes)
    rows = [row for one in made if not isinstance(one, RowFailure) for row in one]
    return WorkerOutput(contract.rows(rows), tuple(m for m in made if isinstance(m, RowFailure)))


def _waves(groups: Iterable[_Group]) -> Iterator[_Wave]:
    """Yield runs of groups that are decoded together."""
    wave: list[_Group] = []
    for group in groups:
        wave.append(group)
        pictures = [picture for member in wave for picture in member.pictures]
        pixel_bytes = sum(3 * picture.width * picture.height for picture in pictures)
        if len(pictures) >= WAVE_PICTURES or pixel_bytes >= WAVE_BYTES:
            yield wave
            wave = []
    if wave:
        yield wave


def _popped(members: deque[Picture], most: int) -> list[Picture]:
    """Take up to `most` pictures and up to `WAVE_BYTES` of pixels, at least one picture."""
    taken: list[Picture] = []
    pixel_bytes = 0
    while members and len(taken) < most:
        pixel_bytes += 3 * members[0].width * members[0].height
        if taken and pixel_bytes > WAVE_BYTES:
            break
        taken.append(members.popleft())
    return taken


def _loaded(
    loading: Sequence[tuple[_Group, list[Future[Any]]]], outcomes: dict[int, Outcome]
) -> list[tuple[Shape, list[tuple[Picture, Any]]]]:
    """Wait for the pixels of a wave; what could not be decoded goes to `outcomes`."""
    loaded = []
    for group, futures in loading:
        batch: list[tuple[Picture, Any]] = []
        for picture, future in zip(group.pictures, futures, strict=True):
            staged = future.result()
            if isinstance(staged, RowFailure):
                outcomes[picture.row] = staged
            else:
                batch.append((picture, staged))
        if batch:
            loaded.append((group.size, batch))
    return loaded


def _done(staged: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(staged)
    return future


def said_by(done: Pass) -> Sequence[Any]:
    """Return what a pass says per picture; a verdict on all of them stands for each."""
    try:
        return done.wait()
    except ImageProblem as problem:
        return [problem] * len(done.pictures)


def _results(written: "Sequence[tuple[int, Future[Outcome]]]") -> dict[int, Outcome]:
    return {row: future.result() for row, future in written}


def _staggered(
    items: Iterable[T], ahead: int, begin: Callable[[T], S], end: Callable[[S], U]
) -> Iterator[U]:
    """Yield `end(begin(item))` in order, with `ahead` begun items waiting behind."""
    begun: deque[S] = deque()
    for item in items:
        begun.append(begin(item))
        if len(begun) > ahead:
            yield end(begun.popleft())
    while begun:
        yield end(begun.popleft())
