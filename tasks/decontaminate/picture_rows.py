"""Rows of pictures that match, and of samples whose picture and question both do.

A sample meets the picture rules twice: its images get rows of their own, and it gets one if the
question agrees too.  Another answer to the same question on a picture that is only near makes it
another item, so it is shown to a person and not dropped.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from tasks.decontaminate.benchmark import Benchmark
from tasks.decontaminate.matches import (
    PICTURE_ALGORITHM,
    TEXT_ALGORITHM,
    VIEW_ALGORITHM,
    Matches,
    Ours,
    Told,
    asked,
    text_of,
)
from tasks.decontaminate.pictures import (
    HASH_BITS,
    Match,
    OurPictures,
    PictureIndex,
    telling_name,
)
from tasks.decontaminate.rules import Decision, Rule
from tasks.decontaminate.texts import SHORT_TOKENS, run_set, shown
from tasks.decontaminate.views import OurViews, ReadBytes, ViewIndex, ViewMatch

NAME_ALGORITHM: Final = "file-name-v1"
SAME_ALGORITHM: Final = f"{PICTURE_ALGORITHM}+{TEXT_ALGORITHM}"
VIEW_SAME_ALGORITHM: Final = f"{VIEW_ALGORITHM}+{TEXT_ALGORITHM}"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OurImages:
    """Images of the lake.

    Attributes:
        rows: `IMAGE_COLUMNS`, whole images only.
        keys: `KEY_COLUMNS` of those; null where nothing looks for crops and flips.
        read: gives bytes of those that have candidates.
    """

    rows: pa.Table
    keys: pa.Table | None = None
    read: ReadBytes = lambda _images: iter(())


@dataclass(frozen=True, slots=True)
class Unread:
    """A picture that the benchmark names but does not bring, and the first item that shows it."""

    name: str
    item: int


def unread_of(benchmark: Benchmark) -> dict[str, Unread]:
    """Return the pictures that are not there by what tells their names from others."""
    found: dict[str, Unread] = {}
    for item, names in enumerate(benchmark.items["unread"].to_pylist()):
        for name in names:
            found.setdefault(telling_name(name), Unread(name, item))
    found.pop("", None)
    return found


@dataclass(frozen=True, slots=True)
class Found:
    """The matches of pictures by image id: as a whole, and by their views; the nearest first."""

    whole: Mapping[str, list[Match]]
    views: Mapping[str, list[ViewMatch]]

    def views_of(self, sample: Row) -> list[ViewMatch]:
        """Return the matches of a sample's pictures by their views."""
        return [match for image in sample["image_ids"] for match in self.views.get(image, ())]


@dataclass(frozen=True, slots=True)
class PictureRows:
    """The pictures of one benchmark; `views` is null if nothing looks for crops and flips."""

    matches: Matches
    wholes: PictureIndex
    views: ViewIndex | None
    unread: Mapping[str, Unread]

    def found(self, images: OurImages) -> Found:
        """Return what matches each picture."""
        whole = self.wholes.matches(OurPictures.of(images.rows))
        if self.views is None or images.keys is None:
            return Found(whole, {})
        known = {image: [match.item for match in matches] for image, matches in whole.items()}
        return Found(whole, self.views.matches(OurViews.of(images.keys), images.read, known))

    def of_images(self, found: Found) -> Iterator[Row]:
        """Yield the rows of images."""
        for image, matches in found.whole.items():
            yield from self._whole(Ours(image, "image"), matches[0])
        for image, views in found.views.items():
            yield from self._views(Ours(image, "image"), views)

    def named_alike(self, images: pa.Table) -> Iterator[Row]:
        """Yield the rows of images called as a picture that the benchmark does not bring."""
        called = zip(images["image_id"].to_pylist(), images["source_key"].to_pylist(), strict=True)
        for image, name in called:
            at = self.unread.get(telling_name(name or ""))
            if at is not None:
                evidence = f"ours is called {name!r}, theirs {at.name!r}, which is not there; "
                evidence += self._asked_there(at.item)
                told = Told(1.0, evidence, NAME_ALGORITHM)
                yield from self.matches.row(Rule.NAME, Ours(image, "image"), at.item, told)

    def of_sample(self, sample: Row, found: Found) -> Iterator[Row]:
        """Yield the rows of a sample whose question matches too."""
        yield from self._same(sample, found)
        yield from self._same_view(sample, found)

    def shown_by(self, sample: Row, found: Found) -> Iterator[Row]:
        """Yield the rows of a sample's nearest pictures, whatever it asks."""
        ours = Ours(sample["sample_id"], "sample")
        wholes = [found.whole[image][0] for image in sample["image_ids"] if image in found.whole]
        if wholes:
            nearest = min(wholes, key=lambda match: (not match.is_same, match.bits, match.item))
            yield from self._whole(ours, nearest)
        views = sorted(found.views_of(sample), key=lambda match: (-match.score, match.item))
        yield from self._views(ours, views)

    def _whole(self, ours: Ours, match: Match) -> Iterator[Row]:
        is_same = match.is_same and self.matches.book.decision(Rule.PIXELS) is not None
        rule = Rule.PIXELS if is_same else Rule.PHASH
        evidence = f"{_told(match)}; {self._asked_there(match.item)}"
        told = Told(1 - match.bits / HASH_BITS, evidence, PICTURE_ALGORITHM)
        yield from self.matches.row(rule, ours, match.item, told)

    def _views(self, ours: Ours, views: Sequence[ViewMatch]) -> Iterator[Row]:
        """Yield the row of the nearest crop and of the nearest flip."""
        for rule, is_flip in ((Rule.CROP, False), (Rule.FLIP, True)):
            best = next((match for match in views if match.is_flip is is_flip), None)
            if best is not None:
                evidence = f"{best.told}; {self._asked_there(best.item)}"
                told = Told(best.score, evidence, VIEW_ALGORITHM)
                yield from self.matches.row(rule, ours, best.item, told)

    def _same(self, sample: Row, found: Found) -> Iterator[Row]:
        """Yield the row of a sample whose picture and question both match one item."""
        matches = [match for image in sample["image_ids"] for match in found.whole.get(image, ())]
        if not matches or not sample["question"]:
            return
        scored = [(self._question_share(sample, match.item), match) for match in matches]
        share, best = max(scored, key=lambda s: (s[0], s[1].is_same, -s[1].bits, -s[1].item))
        if share < self.matches.book.value(Rule.SAME):
            return
        evidence = f"{_told(best)}; {share:.0%} of the question; {self._asked_there(best.item)}"
        differs = not best.is_same and self._answers_differ(sample["answer"], best.item)
        told = Told(share, evidence + ("; another answer" if differs else ""), SAME_ALGORITHM)
        ours = Ours(sample["sample_id"], "sample")
        for row in self.matches.row(Rule.SAME, ours, best.item, told):
            yield row | ({"decision": Decision.REVIEW.value} if differs else {})

    def _same_view(self, sample: Row, found: Found) -> Iterator[Row]:
        """Yield the row of a sample that asks an item's question of a part of its picture."""
        views = found.views_of(sample)
        if not views or not sample["question"]:
            return
        scored = [(self._question_share(sample, match.item), match) for match in views]
        share, best = max(scored, key=lambda s: (s[0], s[1].score, -s[1].item))
        if share >= self.matches.book.value(Rule.VIEW):
            evidence = f"{best.told}; {share:.0%} of the question; {self._asked_there(best.item)}"
            told = Told(share, evidence, VIEW_SAME_ALGORITHM)
            ours = Ours(sample["sample_id"], "sample")
            yield from self.matches.row(Rule.VIEW, ours, best.item, told)

    def _asked_there(self, item: int) -> str:
        return f"asked there: {shown(self.matches.benchmark.question_of(item))!r}"

    def _question_share(self, sample: Row, item: int) -> float:
        """Return how much of an item's question stands in the sample's; 1 if they are the same."""
        theirs = run_set(self.matches.benchmark.question_of(item), SHORT_TOKENS)
        if not theirs:
            return 0.0
        ours = run_set(asked(sample) or "", SHORT_TOKENS)
        ours |= run_set(text_of(sample) or "", SHORT_TOKENS)
        return len(theirs & ours) / len(theirs)

    def _answers_differ(self, answer: str | None, item: int) -> bool:
        answers = self.matches.benchmark.items["answers"][item].as_py()
        known = {_plain(a) for a in answers}
        return bool(known) and answer is not None and _plain(answer) not in known


def _told(match: Match) -> str:
    return "same pixels" if match.is_same else f"{match.bits} of {HASH_BITS} bits differ"


def _plain(answer: str) -> str:
    return " ".join(answer.casefold().split()).strip(" .")
