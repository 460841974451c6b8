"""Prices: sums by hand, unknown models, bad tables."""

from pathlib import Path

import pytest

from infra.teacher.prices import Price, Prices, Usage
from sightline.errors import TeacherError, UsageError


def test_cost_of_cached_and_fresh_tokens_adds_up():
    price = Price(input_usd=2.0, output_usd=8.0, cached_input_usd=0.5)
    usage = Usage(tokens_in=1_000_000, tokens_out=500_000, tokens_cached=400_000)
    assert price.cost_usd(usage) == pytest.approx(0.6 * 2.0 + 0.4 * 0.5 + 0.5 * 8.0)


def test_batch_takes_its_discount_off_every_price(tmp_path: Path):
    path = tmp_path / "prices.yaml"
    path.write_text("models: {m: {input: 8, output: 4, cached_input: 2, batch_discount: 0.25}}")
    assert Prices.load(path).require("m").in_batch() == Price(6.0, 3.0, 1.5, batch_discount=0.0)
    path.write_text("models: {m: {input: 8, output: 4, batch_discount: 1.5}}")
    with pytest.raises(UsageError, match="share in"):
        Prices.load(path)


def test_cost_without_counted_tokens_is_unknown():
    assert Price(1.0, 1.0).cost_usd(Usage()) is None


def test_worst_case_is_never_below_the_cost_of_what_fits():
    price = Price(2.0, 8.0, max_image_tokens=1000)
    worst = price.worst_case_usd(text_bytes=400, images=1, max_tokens=100)
    assert worst >= (price.cost_usd(Usage(tokens_in=400 + 1000, tokens_out=100)) or 0.0)


def test_project_table_has_a_source_for_every_price():
    import yaml

    from infra.teacher.prices import DEFAULT_FILE

    listed = yaml.safe_load(DEFAULT_FILE.read_text())["models"]
    assert Prices.load().models.keys() == listed.keys()
    assert [name for name, entry in listed.items() if not entry.get("source")] == []


def test_unknown_model_is_an_error_that_lists_the_known_ones():
    with pytest.raises(TeacherError, match=r"'nobody'.*known: a, b"):
        Prices({"a": Price(1, 1), "b": Price(1, 1)}).require("nobody")


@pytest.mark.parametrize(
    "text",
    ["models: 3", "models: {m: {input: 1}}", "models: {m: {input: -1, output: 1}}", "models: ["],
)
def test_broken_table_is_a_usage_error(tmp_path: Path, text: str):
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"prices\.yaml"):
        Prices.load(path)
