"""What one contender of the annotation benchmark is told, as a JSON file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """One contender on one set of pictures.

    Attributes:
        contender: key of `benchmarks.annotation.child.CONTENDERS`.
        checkpoint: folder of the network.
        pictures: folder with the encoded pictures, by name in order.
        lake: folder of a lake that holds only the `images`; it is copied before it is written to.
        parts: of `images`.
        warm_part: a small part beside them, annotated before the first run.
        scratch: folder for what a contender writes.
        side: least short side of the network's input, px.
        precision: fp32 or bf16.
        batch: pictures in one forward pass; 0 lets the contender choose.
        pool: local (threads of the contender's process) or ray (processes).
        workers: of the pool; they share the cores, and the GPU if there is one.
        in_flight: parts worked on at once.
        compiles: whether the network goes through `torch.compile`.
    """

    contender: str
    checkpoint: str
    pictures: str
    lake: str
    parts: tuple[str, ...]
    warm_part: str
    scratch: str
    side: int
    precision: str
    batch: int = 0
    pool: str = "local"
    workers: int = 1
    in_flight: int = 4
    compiles: bool = False

    def write(self, path: Path) -> Path:
        """Write the job and return its file."""
        path.write_text(json.dumps(asdict(self)))
        return path

    @classmethod
    def read(cls, path: Path) -> "Job":
        """Return the job of a file."""
        stated = json.loads(path.read_text())
        return cls(**stated | {"parts": tuple(stated["parts"])})

    def files(self) -> list[Path]:
        """Return the encoded pictures in order."""
        return sorted(Path(self.pictures).iterdir())
