"""Licences as sources state them, and what an export of them may be used for."""

import pytest

from tasks.publish.card import Licences, LicenceVerdict, licences_of, verdict_on

OPEN, LIMITED, UNKNOWN = LicenceVerdict.OPEN, LicenceVerdict.NON_COMMERCIAL, LicenceVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("licence", "verdict"),
    [
        ("Apache-2.0", OPEN),
        ("MIT (MATH-V repo)", OPEN),
        ("CC BY 4.0", OPEN),
        ("CC-BY-4.0", OPEN),
        ("cc0-1.0", OPEN),
        ("CC BY-NC-SA 4.0 (TabMWP)", LIMITED),
        ("CC-BY-NC-4.0", LIMITED),
        ("Images: ICDAR-2019 SROIE (research; repo MIT)", LIMITED),
        ("FUNSD licence: non-commercial, research and educational use", LIMITED),
        ("Microsoft Shared Source License", UNKNOWN),
        ("permitted by the owner", UNKNOWN),
        ("not stated", UNKNOWN),
    ],
)
def test_verdict_on_a_licence_text(licence: str, verdict: LicenceVerdict):
    assert verdict_on(licence) is verdict


def test_licences_of_rows_are_as_strict_as_the_strictest():
    assert licences_of(["MIT", "MIT"]).verdict is OPEN
    assert licences_of(["MIT", "CC-BY-NC-4.0"]).verdict is LIMITED
    assert licences_of(["MIT", "CC-BY-NC-4.0", None]).verdict is UNKNOWN
    assert licences_of(["MIT", None, "MIT"]).rows == (("MIT", 2), ("not stated", 1))


def test_licences_of_no_rows_are_open():
    assert licences_of([]) == Licences((), OPEN)
