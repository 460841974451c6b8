import pytest

from infra.teacher.prices import Price
from tasks.distill.case import ChainParams
from tasks.distill.estimate import CallSize, Measured, Question, estimate
from tasks.distill.forecast import Forecast, WantedCall, image_tokens, together
from tasks.distill.stages import Stage

PARAMS = ChainParams(teacher="m", rounds=3, max_tokens=100)
PRICE = Price(input_usd=1.0, output_usd=10.0)
ZOOM = WantedCall(("k1", 0), Stage.ZOOM, 1, text_bytes=400, image_tokens=50)
FINAL = WantedCall(("k2", 0), Stage.FINAL, 3, text_bytes=800, image_tokens=50)


def asked(*wanted: WantedCall, new_chains: float = 0.0, price: Price | None = PRICE) -> Question:
    found = Forecast(len(wanted), frozenset({("k0", 0)}), wanted)
    return Question("distill", PARAMS, found, new_chains, price)


def test_estimate_without_evidence_is_the_most_it_can_be():
    plan = estimate(asked(ZOOM, FINAL), Measured())
    assert (plan.known, plan.next, plan.later) == (1, 2, 2)
    assert plan.tokens_in == 150 + 250 + 2 * 200
    assert plan.tokens_out == 400
    assert plan.usd == pytest.approx((800 * 1 + 400 * 10) / 1e6)
    assert plan.basis == "the most it can be"


def test_estimate_goes_by_what_was_measured():
    measured = Measured(
        calls_per_chain=2.5,
        more_calls={(Stage.ZOOM, 1): 1.5},
        sizes={Stage.ZOOM: CallSize(10, 1), Stage.FINAL: CallSize(30, 3)},
        origin="this lake",
    )
    plan = estimate(asked(ZOOM, FINAL, new_chains=4), measured)
    assert (plan.chains, plan.next, plan.later) == (6, 2, 1.5 + 4 * 2.5)
    assert plan.tokens_in == 10 + 30 + 11.5 * 20
    assert plan.tokens_out == 1 + 3 + 11.5 * 2
    assert plan.basis == "measured in this lake"


def test_estimate_of_new_chains_leaves_out_what_a_pilot_bought():
    asked_after_pilot = Question("distill", PARAMS, Forecast(), 10, PRICE, new_known=12)
    plan = estimate(asked_after_pilot, Measured(calls_per_chain=2.0, origin="the pilot"))
    assert (plan.known, plan.next, plan.later) == (12, 0, 8)


def test_estimate_of_a_model_without_a_price_goes_by_what_calls_did_cost():
    assert estimate(asked(ZOOM, price=None), Measured()).usd is None
    measured = Measured(usd_per_call=0.5, more_calls={(Stage.ZOOM, 1): 1.0})
    assert estimate(asked(ZOOM, price=None), measured).usd == 1.0


def test_estimate_in_a_batch_costs_half():
    live, batch = (
        estimate(asked(ZOOM, price=p), Measured()).usd for p in (PRICE, PRICE.in_batch())
    )
    assert live is not None
    assert batch == pytest.approx(live / 2)


def test_forecasts_together_count_a_shared_call_once():
    unknown = WantedCall(None, Stage.ZOOM, 1, 10, 10)
    one = Forecast(2, frozenset({("a", 0)}), (ZOOM, unknown))
    both = together([one, Forecast(1, frozenset({("a", 0), ("b", 0)}), (ZOOM, unknown))])
    assert both.chains == 3
    assert len(both.known) == 2
    assert both.wanted == (ZOOM, unknown, unknown)


def test_image_tokens_count_patches_begun():
    assert image_tokens(640, 480) == 23 * 18
    assert image_tokens(1, 1) == 1
