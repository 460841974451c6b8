"""A teacher that ignores pictures: the build stops before it is paid for more than that news."""

import pytest

from flows.closing import PartsFailedError
from tests.flows.site import TINY, Site
from tests.flows.tables import broken_checks, count

pytestmark = pytest.mark.server


def test_teacher_ignores_images_build_stops_after_one_call(site: Site):
    with pytest.raises(PartsFailedError, match=r"sightline-embedded at .* ignores images"):
        site.build(*TINY, "embedded_teacher.blind=true", teacher_probe=True)
    lake = site.lake()
    assert broken_checks(lake) == {}
    assert count(lake, "select count(*) from ledger where step = 'probe'") == 1
    assert count(lake, "select count(*) from ledger") == 1
