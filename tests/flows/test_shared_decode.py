"""Depth and segments from one decode: the same rows, the same runs, the same fingerprints."""

import pytest

from tests.flows.site import TINY, Site
from tests.flows.tables import broken_checks, content

pytestmark = pytest.mark.server

ANNOTATE_ONLY = (*TINY, *(f"steps.{step}.enabled=false" for step in ("distill", "verify")))


def test_build_that_shares_the_decode_is_the_same_build(site: Site):
    site.build(*ANNOTATE_ONLY, lake="alone")
    shared = site.build(*ANNOTATE_ONLY, lake="shared", shares_decode="true")
    assert shared.checks_failed == ()
    assert broken_checks(site.lake("shared")) == {}
    assert content(site.lake("shared")) == content(site.lake("alone"))
    again = site.build(*ANNOTATE_ONLY, lake="shared")
    assert again.runs_computed == 0
