import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import UsageError
from tasks.ingest.pilot_rows import PilotSize, PilotSource
from tasks.ingest.scene_source import SceneOptions, SceneSource

KEYS = st.integers(1, 40)


def keys_of(n: int, size: str) -> list[str]:
    source = PilotSource(SceneSource("demo", SceneOptions(n=n)), PilotSize.parse(size))
    taken = [row.row_key for row in source.rows()]
    assert source.listed == n
    return taken


@given(n=st.integers(1, 40), rows=st.integers(1, 50))
def test_pilot_of_a_number_takes_so_many_or_all(n: int, rows: int):
    assert len(keys_of(n, str(rows))) == min(n, rows)


@given(n=KEYS, smaller=st.integers(1, 99), more=st.integers(0, 50))
def test_pilot_grows_by_adding_rows_only(n: int, smaller: int, more: int):
    larger = min(smaller + more, 100)
    assert set(keys_of(n, f"{smaller}%")) <= set(keys_of(n, f"{larger}%"))
    assert set(keys_of(n, str(smaller))) <= set(keys_of(n, str(larger)))


@given(n=KEYS, appended=st.integers(0, 40))
def test_pilot_of_a_share_keeps_its_rows_when_the_source_grows(n: int, appended: int):
    before, after = keys_of(n, "30%"), keys_of(n + appended, "30%")
    assert after[: len(before)] == before


def test_pilot_share_is_met_and_spread_over_the_source():
    listed = [row.row_key for row in SceneSource("demo", SceneOptions(n=5000)).rows()]
    taken = set(keys_of(5000, "10%"))
    assert 420 <= len(taken) <= 580  # binomial, 3.8 standard deviations
    halves = [sum(key in taken for key in half) for half in (listed[:2500], listed[2500:])]
    assert min(halves) >= 180


@pytest.mark.parametrize("text", ["0", "0%", "101%", "-1", "1.5", "%", "", "many", "1 %"])
def test_pilot_size_that_is_none_is_refused(text: str):
    with pytest.raises(UsageError, match="expected a number of rows such as 200"):
        PilotSize.parse(text)


def test_pilot_size_is_a_number_or_a_percentage():
    assert PilotSize.parse("200") == PilotSize(rows=200)
    assert PilotSize.parse(" 0.5% ") == PilotSize(share=0.005)
