"""Several networks over one decode: pictures are read once and each network is asked in turn.

The workers of the single steps are built as they are and give their networks and their rows; a
verdict of one on a picture is none of another's.  Pictures share a pass only if their inputs are of
one shape for every network, so on a GPU passes may be smaller than those of a step alone, and a
float may differ from its in the last bit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from infra.pool.several import pack
from infra.pool.workers import RowFailure, import_factory
from sightline.schemas import FAILURES
from tasks.vision.pictures import RGB, Picture
from tasks.vision.stages import Network, Outcome, Pass, Row, Shape, Stages, output_of, said_by


@dataclass(frozen=True, slots=True)
class _Passes:
    """The passes of every network over the same pictures."""

    pictures: Sequence[Picture]
    by_network: Sequence[Sequence[Pass]]

    def wait(self) -> Sequence[Sequence[Any]]:
        """Return what each network says, per picture."""
        said = [
            list(chain.from_iterable(said_by(done) for done in passes))
            for passes in self.by_network
        ]
        return list(zip(*said, strict=True))


class SeveralNetworks:
    """Networks on one device, as one."""

    def __init__(self, networks: Sequence[Network]) -> None:
        """Ask `networks` in their order."""
        self._networks = networks

    @property
    def is_overlapped(self) -> bool:
        """Tell whether the device computes by itself while this process does other work."""
        return all(network.is_overlapped for network in self._networks)

    @property
    def threads(self) -> int:
        """Return how many threads should decode and encode."""
        return max(network.threads for network in self._networks)

    def size(self, width: int, height: int) -> Shape:
        """Return the inputs of all networks for a picture."""
        return tuple(network.size(width, height) for network in self._networks)

    def batch_size(self, size: Shape) -> int:
        """Return how many pictures the network with the largest passes takes."""
        pairs = zip(self._networks, size, strict=True)
        return max(network.batch_size(one) for network, one in pairs)

    def staged(self, rgb: RGB, size: Shape) -> Sequence[Any]:
        """Return what each network keeps of a picture until its pass."""
        pairs = zip(self._networks, size, strict=True)
        return [network.staged(rgb, one) for network, one in pairs]

    def infer(self, batch: Sequence[tuple[Picture, Any]], size: Shape) -> Sequence[Pass]:
        """Begin the passes of every network, each in passes of its own size."""
        passes = [list(self._passes(batch, number, one)) for number, one in enumerate(size)]
        return [_Passes([picture for picture, _ in batch], passes)]

    def _passes(
        self, batch: Sequence[tuple[Picture, Any]], number: int, size: Shape
    ) -> Iterator[Pass]:
        network = self._networks[number]
        own = [(picture, staged[number]) for picture, staged in batch]
        while own:
            most = network.batch_size(size)
            yield from network.infer(own[:most], size)
            own = own[most:]


class SeveralWorkers:
    """Callable on tables with `image_id` and `bytes`; gives packed rows of several steps.

    Attributes:
        is_concurrent: whether two batches at once are faster than one after the other.
    """

    def __init__(self, members: Sequence[Mapping[str, Any]]) -> None:
        """Load every network.

        Args:
            members: of each step its worker's `factory` and its `options`.

        Raises:
            CheckpointError: weights are missing, incomplete or of another kind.
        """
        workers = [import_factory(m["factory"])(**m["options"]) for m in members]
        self._members: list[Stages] = [worker.stages for worker in workers]
        network = SeveralNetworks([member.network for member in self._members])
        self._stages = Stages(network, self._rows, FAILURES)
        self.is_concurrent = self._stages.is_concurrent

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return what each step gives, packed."""
        outcomes = self._stages.outcomes(batch)
        return pack(
            [
                output_of(member.contract, [_of_member(one, number) for one in outcomes])
                for number, member in enumerate(self._members)
            ]
        )

    def _rows(self, picture: Picture, said: Sequence[Any]) -> Sequence[Row]:
        """Return one row that holds the outcome of every step."""
        pairs = zip(self._members, said, strict=True)
        return [{"outcomes": [member.written(picture, one) for member, one in pairs]}]


def _of_member(outcome: Outcome, number: int) -> Outcome:
    """Return what became of a picture in one step; undecodable, it failed in all."""
    if isinstance(outcome, RowFailure):
        return outcome
    found: Outcome = outcome[0]["outcomes"][number]
    return found
