"""Endpoints of a file: what it may say, where keys come from, and what is refused."""

from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.teacher.endpoints import for_model
from sightline.errors import UsageError

FILE = """
endpoints:
  - name: east
    url: https://east.example/v1
    models: [big, small]
    key_variable: EAST_KEY
    requests_per_minute: 500
    tokens_per_minute: 200000
    batch: true
  - name: rack
    urls: [http://10.0.0.1:8000/v1, http://10.0.0.2:8000/v1]
    models: [small]
    max_in_flight: 64
  - name: own
    models: [tiny]
    serve: {engine: vllm, model: tiny-vl}
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "SIGHTLINE_TEACHER_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def written(text: str) -> Path:
    path = Path("endpoints.yaml")
    path.write_text(text)
    return path


def test_file_gives_endpoints_with_their_limits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EAST_KEY", "sk-east")
    settings = load_settings(endpoints_file=written(FILE), teacher_concurrency=7)
    east, first, second, own = settings.endpoints
    assert (east.name, east.api_key, east.max_in_flight, east.batch) == ("east", "sk-east", 7, True)
    assert (east.requests_per_minute, east.tokens_per_minute) == (500, 200_000)
    assert (first.name, second.name) == ("rack-1", "rack-2")
    assert (first.max_in_flight, first.base_url) == (64, "http://10.0.0.1:8000/v1")
    assert own.serve == {"engine": "vllm", "model": "tiny-vl"}
    assert [e.name for e in for_model(settings.endpoints, "small")] == ["east", "rack-1", "rack-2"]


def test_key_may_stand_in_the_env_file_and_is_a_secret():
    Path(".env").write_text("EAST_KEY=sk-from-file\n")
    settings = load_settings(endpoints_file=written(FILE))
    assert settings.endpoints[0].api_key == "sk-from-file"
    assert settings.secrets == ("sk-from-file",)
    assert "sk-from-file" not in f"{settings!r} {settings.endpoints!r}"


def test_without_a_file_the_settings_name_one_endpoint_for_every_model():
    settings = load_settings(
        teacher_base_url="http://h/v1", teacher_requests_per_minute=60, teacher_concurrency=3
    )
    (endpoint,) = settings.endpoints
    assert endpoint.serves("anything")
    assert (endpoint.base_url, endpoint.requests_per_minute) == ("http://h/v1", 60)
    assert endpoint.max_in_flight == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("endpoints: [", "cannot read the endpoints file"),
        ("endpoints: []", "at least 1 item"),
        ("[]", "the file: "),
        ("endpoints: [{name: a, models: [m]}]", "exactly one of url, urls and serve"),
        ("endpoints: [{name: a, models: [m], url: ftp://x}]", "url"),
        ("endpoints: [{name: a, models: [], url: http://x}]", "models"),
        ("endpoints: [{name: a, models: [m], url: http://x, key: sk-1}]", r"endpoints\.0\.key"),
        (
            "endpoints: [{name: a, models: [m], url: http://x, key_variable: NOT_SET_HERE}]",
            "NOT_SET_HERE is not set",
        ),
        (
            "endpoints: [&a {name: a, models: [m], url: http://x}, *a]",
            "more than once",
        ),
    ],
)
def test_file_that_cannot_be_used_says_where(text: str, message: str):
    with pytest.raises(UsageError, match=message) as caught:
        _ = load_settings(endpoints_file=written(text)).endpoints
    assert "sk-1" not in str(caught.value)


def test_model_that_nobody_serves_is_named_with_those_that_are_served():
    settings = load_settings(endpoints_file=written(FILE.replace("key_variable: EAST_KEY", "")))
    with pytest.raises(UsageError, match=r"no endpoint serves 'huge'.*'big', 'small', 'tiny'"):
        for_model(settings.endpoints, "huge")
