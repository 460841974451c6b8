"""The rules by which an item of the lake matches an item of a benchmark, and what follows.

A text alone never drops a sample by default: questions are restated, quoted and asked of other
pictures.  What drops is the same picture *and* the same question.  Rules that were not asked for
are not applied, and the certificate says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sightline.errors import UsageError


class Rule(StrEnum):
    """What counts as a match; the value is `contamination.rule`."""

    NGRAM8 = "ngram8"
    NGRAM8_SHARE = "ngram8_share"
    NGRAM13 = "ngram13"
    EXACT = "exact"
    SHORT = "short_exact"
    PIXELS = "image_pixels"
    PHASH = "image_phash"
    CROP = "image_crop"
    FLIP = "image_flip"
    NAME = "image_name"
    VIEW = "view_and_question"
    SAME = "picture_and_question"


class Decision(StrEnum):
    """What follows from a match."""

    REVIEW = "review"
    DROP = "drop"


RULE_DOCS: Final[Mapping[Rule, str]] = {
    Rule.NGRAM8: "A run of 8 tokens of the benchmark's text stands in ours.",
    Rule.NGRAM8_SHARE: "At least this share of an item's runs of 8 tokens stands in ours.",
    Rule.NGRAM13: "A run of 13 tokens of the benchmark's text stands in ours.",
    Rule.EXACT: "The question is the same, without case and punctuation.",
    Rule.SHORT: "A text of fewer than 8 tokens is the same as a whole.",
    Rule.PIXELS: "The picture has the same pixels.",
    Rule.PHASH: "The perceptual hashes of the pictures differ in at most so many of 256 bits.",
    Rule.CROP: "One picture is a part of the other, found by its views and laid over it.",
    Rule.FLIP: "One picture is the other mirrored or turned, laid over it.",
    Rule.NAME: "A picture that the benchmark names but does not bring has the file name of ours.",
    Rule.VIEW: "A part or mirror picture matches, and so does the question, by this much.",
    Rule.SAME: "The picture matches, and the question is the same or shares this much of its runs.",
}
"""One sentence per rule, for the certificate and the documentation."""

VALUES: Final[Mapping[Rule, float]] = {
    Rule.NGRAM8_SHARE: 0.5,
    Rule.PHASH: 24.0,
    Rule.VIEW: 0.5,
    Rule.SAME: 0.5,
}
"""Thresholds of the rules that have one."""

BY_DEFAULT: Final[Mapping[Rule, Decision]] = {
    Rule.NGRAM8: Decision.REVIEW,
    Rule.EXACT: Decision.REVIEW,
    Rule.SHORT: Decision.REVIEW,
    Rule.PIXELS: Decision.REVIEW,
    Rule.PHASH: Decision.REVIEW,
    Rule.CROP: Decision.REVIEW,
    Rule.FLIP: Decision.REVIEW,
    Rule.NAME: Decision.REVIEW,
    Rule.VIEW: Decision.REVIEW,
    Rule.SAME: Decision.DROP,
}
"""The rules applied unless others are named, with what follows from each."""

OF_VIEWS: Final = frozenset({Rule.CROP, Rule.FLIP, Rule.VIEW})
"""Rules that need hashes of views, which are made from the pictures' bytes."""

TEMPLATE_SHARE: Final = 0.01
TEMPLATE_ITEMS: Final = 10


@dataclass(frozen=True, slots=True)
class Setting:
    """How one rule is applied; `value` is its threshold, null where it has none."""

    decision: Decision
    value: float | None = None


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of one comparison; part of its identity.

    Attributes:
        settings: the rules applied.
        template_share: a run of tokens in more than this share of a benchmark's items, and in more
            than `template_items` of them, is a template and matches nothing.
        template_items: see there; keeps small benchmarks from losing their texts.
    """

    settings: Mapping[Rule, Setting] = field(default_factory=lambda: defaults(BY_DEFAULT))
    template_share: float = TEMPLATE_SHARE
    template_items: int = TEMPLATE_ITEMS

    def decision(self, rule: Rule) -> Decision | None:
        """Return what follows from a match by `rule`; null if it is not applied."""
        setting = self.settings.get(rule)
        return None if setting is None else setting.decision

    def value(self, rule: Rule) -> float:
        """Return the threshold of `rule`, applied or not."""
        setting = self.settings.get(rule)
        given = None if setting is None else setting.value
        return VALUES[rule] if given is None else given

    @property
    def needs_views(self) -> bool:
        """Return whether a rule is applied that looks for crops and flips."""
        return not OF_VIEWS.isdisjoint(self.settings)

    def identity(self) -> dict[str, Any]:
        """Return the rules as JSON."""
        return {
            "rules": {
                rule.value: {"decision": s.decision.value, "value": s.value}
                for rule, s in sorted(self.settings.items())
            },
            "template_share": self.template_share,
            "template_items": self.template_items,
        }


def defaults(decisions: Mapping[Rule, Decision]) -> dict[Rule, Setting]:
    """Return settings with the default thresholds."""
    return {rule: Setting(decision, VALUES.get(rule)) for rule, decision in decisions.items()}


def rule_book(
    rules: Sequence[str] = (),
    decisions: Sequence[str] = (),
    template_share: float = TEMPLATE_SHARE,
) -> RuleBook:
    """Return the rules that a command line names.

    Args:
        rules: `name` or `name=threshold`; the ones of `BY_DEFAULT` if there are none.
        decisions: `name=review` or `name=drop`.
        template_share: as in `RuleBook`.

    Raises:
        UsageError: a rule, a threshold or a decision is not known; the message lists the known.
    """
    if not 0 < template_share <= 1:
        msg = f"expected a share of items in (0, 1], found {template_share!r}"
        raise UsageError(msg)
    chosen = dict(_chosen(text) for text in rules) if rules else defaults(BY_DEFAULT)
    for text in decisions:
        name, _, decision = text.partition("=")
        rule = _rule(name)
        if rule not in chosen:
            msg = f"rule {name!r} is not applied; name it with --rule too"
            raise UsageError(msg)
        chosen[rule] = Setting(_decision(decision), chosen[rule].value)
    return RuleBook(chosen, template_share)


def stored_book(stored: Mapping[str, Any]) -> RuleBook:
    """Return the rules that `RuleBook.identity` gave."""
    settings = {
        Rule(name): Setting(Decision(rule["decision"]), rule["value"])
        for name, rule in stored["rules"].items()
    }
    return RuleBook(settings, stored["template_share"], stored["template_items"])


def _chosen(text: str) -> tuple[Rule, Setting]:
    name, _, value = text.partition("=")
    rule = _rule(name)
    decision = BY_DEFAULT.get(rule, Decision.REVIEW)
    return rule, Setting(decision, _threshold(rule, value) if value else VALUES.get(rule))


def _rule(name: str) -> Rule:
    try:
        return Rule(name)
    except ValueError as exc:
        msg = f"no rule is called {name!r}; there are {', '.join(Rule)}"
        raise UsageError(msg) from exc


def _decision(text: str) -> Decision:
    try:
        return Decision(text)
    except ValueError as exc:
        msg = f"expected a decision of {', '.join(Decision)}, found {text!r}"
        raise UsageError(msg) from exc


def _threshold(rule: Rule, text: str) -> float:
    top = 256.0 if rule is Rule.PHASH else 1.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if rule not in VALUES or not 0 <= value <= top:
        takes = {r.value: f"0..{256 if r is Rule.PHASH else 1}" for r in VALUES}
        msg = f"expected a threshold for one of {takes}, found {rule.value}={text}"
        raise UsageError(msg)
    return value
