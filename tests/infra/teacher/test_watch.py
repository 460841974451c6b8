from dataclasses import dataclass, field

from infra.teacher.budget import Caps
from infra.teacher.stats import LaneStats, TeacherState, TeacherStats
from infra.teacher.watch import TeacherWatch, count

BUSY = TeacherStats(
    calls=1200,
    reused=30,
    throttled=4,
    retries=5,
    tokens_in=1_250_000,
    tokens_out=90_400,
    cost_usd=1.5,
    in_flight=16,
    waiting=2,
    limit=24,
    outcomes={"success": 1180, "truncated": 20},
    lanes=(LaneStats("default", "m", calls=1200, latency_ms=151.4, limit=24, in_flight=16),),
)


@dataclass
class Scene:
    """A teacher whose counts and clock a test moves."""

    stats: TeacherStats | None = None
    now: float = 0.0
    caps: Caps = field(default_factory=Caps)

    def watch(self) -> TeacherWatch:
        return TeacherWatch(lambda: self.stats, self.caps, lambda: self.now)


def rate(watch: TeacherWatch) -> float:
    look = watch.look()
    assert look is not None
    return look.calls_per_s


def test_watch_before_anything_was_asked_shows_nothing():
    watch = Scene().watch()
    assert watch.look() is None
    assert watch.cells() is None


def test_watch_rate_is_that_of_the_last_half_minute():
    scene = Scene()
    watch = scene.watch()
    rates = []
    for second in range(121):
        scene.now = float(second)
        scene.stats = TeacherStats(calls=10 * min(second, 60))
        rates.append(rate(watch))
    assert rates[0] == 0
    assert rates[60] == 10
    assert 4 < rates[75] < 6
    assert rates[120] == 0


def test_watch_line_says_calls_places_trouble_tokens_and_money():
    scene = Scene(BUSY, caps=Caps(usd=5.0))
    assert scene.watch().cells() == (
        "1200 calls (30 reused)",
        "0.0 calls/s",
        "16/24 in flight, 2 waiting",
        "4 throttled, 5 retries",
        "1.2M + 90.4k tokens, $1.5000 of $5",
        "",
    )


def test_watch_line_of_a_paused_teacher_says_why():
    paused = TeacherStats(state=TeacherState.PAUSED, reason="default: m: no connection")
    cells = Scene(paused).watch().cells()
    assert cells is not None
    assert cells[-1] == "paused: default: m: no connection"


def test_watch_money_that_is_not_known_or_at_risk_is_told():
    scene = Scene(TeacherStats(unpriced=3, at_risk_usd=0.25), caps=Caps(calls=100))
    cells = scene.watch().cells()
    assert cells is not None
    assert cells[4].endswith("$0.0000, $0.2500 at risk, 3 calls without a price, cap 100 calls")


def test_watch_page_has_outcomes_and_a_row_per_model_and_endpoint():
    look = Scene(BUSY).watch().look()
    assert look is not None
    page = look.page(Caps())
    assert "- outcomes: 1180 success, 20 truncated" in page
    assert "| m | default | 1200 | 151 | 16 | 24 | 0 | 0 | 0.0000 | ok |" in page


def test_count_is_short_from_a_thousand_on():
    assert [count(n) for n in (0, 999, 1000, 2_340_000)] == ["0", "999", "1.0k", "2.3M"]
