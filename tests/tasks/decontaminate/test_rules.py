"""Rules as people name them, and certificates that can be compared."""

import json
from typing import Any

import pytest

from sightline.errors import UsageError
from tasks.decontaminate.certificate import Certificate, parts_hash, verified
from tasks.decontaminate.certificate_page import page
from tasks.decontaminate.rules import Decision, Rule, rule_book, stored_book

OUTCOMES = (
    "accepted_samples", "samples_dropped", "samples_under_review", "accepted_but_dropped",
    "accepted_under_review",
)  # fmt: skip
CONTENT: dict[str, Any] = {
    "release": "current",
    "tables": {},
    "datasets": [],
    "benchmarks": [],
    "is_complete": False,
    "outcome": dict.fromkeys(OUTCOMES, 0),
}


def test_picture_and_question_drop_and_everything_else_is_reviewed_by_default():
    book = rule_book()
    assert {r for r, s in book.settings.items() if s.decision is Decision.DROP} == {Rule.SAME}
    assert not {Rule.NGRAM13, Rule.NGRAM8_SHARE} & set(book.settings)


def test_named_rules_replace_the_default_ones():
    book = rule_book(["ngram13", "image_phash=10"], ["ngram13=drop"])
    assert book.decision(Rule.NGRAM13) is Decision.DROP
    assert book.decision(Rule.NGRAM8) is None
    assert book.value(Rule.PHASH) == 10.0


def test_rules_come_back_from_their_stored_form():
    book = rule_book(["ngram8_share=0.7", "exact"], ["exact=drop"], 0.2)
    assert stored_book(json.loads(json.dumps(book.identity()))) == book


@pytest.mark.parametrize(
    ("rules", "decisions", "named"),
    [
        (["ngram9"], [], "ngram13"),
        (["ngram8=3"], [], "ngram8_share"),
        (["image_phash=many"], [], "0..256"),
        ([], ["ngram8=keep"], "review, drop"),
        ([], ["ngram13=drop"], "--rule"),
    ],
)
def test_an_unknown_rule_or_value_is_an_error_that_lists_the_known(
    rules: list[str], decisions: list[str], named: str
):
    with pytest.raises(UsageError, match=named):
        rule_book(rules, decisions)


def test_certificates_of_equal_content_have_one_hash_wherever_the_lake_lies():
    here = Certificate(CONTENT, {"lake": "/a", "versions": {}})
    there = Certificate(dict(reversed(CONTENT.items())), {"lake": "s3://b", "versions": {}})
    assert here.sha256 == there.sha256
    assert here.to_json() != there.to_json()
    other = Certificate(CONTENT | {"is_complete": True}, here.beside)
    assert other.sha256 != here.sha256


def test_a_changed_certificate_is_no_longer_verified():
    text = Certificate(CONTENT, {"lake": "/a", "versions": {}}).to_json()
    assert verified(text)
    assert not verified(text.replace('"samples_dropped": 0', '"samples_dropped": 1'))


def test_a_lake_without_benchmarks_is_certified_as_not_compared():
    text = page(Certificate(CONTENT, {"lake": "/a", "versions": {}}))
    assert "Nothing was compared" in text


def test_parts_have_one_hash_in_any_order():
    parts = [("b", "f2", 2), ("a", "f1", 1)]
    assert parts_hash(parts) == parts_hash(parts[::-1])
    assert parts_hash(parts) != parts_hash([("b", "f2", 2), ("a", "f3", 1)])
