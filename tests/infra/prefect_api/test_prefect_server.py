"""Real servers: one start costs 5-15 s, so each test shows as much of a life as it can."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.prefect_api.server import ApiSession, is_healthy, prefect_api, use
from infra.settings import Settings, load_settings
from sightline.errors import SightlineError, UsageError


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    return load_settings(
        state_dir=tmp_path, prefect_profiles=tmp_path / "profiles.toml", prefect_port=0
    )


@pytest.fixture
def remote_api() -> Iterator[str]:
    """An API that wants a key before it says more than that it is there."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()


def post(url: str, body: object) -> object:
    request = urllib.request.Request(  # noqa: S310
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())


def wait_until_gone(url: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not is_healthy(url):
            return True
        time.sleep(0.2)
    return False


@pytest.mark.server
def test_local_api_is_shared_ends_with_its_last_user_and_keeps_history(settings: Settings):
    told: list[tuple[str, bool]] = []

    def meanwhile(session: ApiSession) -> None:
        told.append((session.url, is_healthy(session.url)))

    with prefect_api(settings, meanwhile) as first:
        assert told == [(first.url, False)]
        assert first.started
        assert is_healthy(first.url)
        assert first.environment["PREFECT_API_URL"] == first.url
        made = post(f"{first.url}/flows/", {"name": "remember-me"})
        with prefect_api(settings, meanwhile) as second:
            assert told[1:] == [(first.url, True)]
            assert (second.url, second.started) == (first.url, False)
        assert is_healthy(first.url)
    assert not is_healthy(first.url)
    port = int(first.ui_url.rpartition(":")[2])
    with prefect_api(settings.model_copy(update={"prefect_port": port})) as again:
        assert again.url == first.url  # the port was free
        found = post(f"{again.url}/flows/filter", {})
    assert isinstance(found, list)
    assert isinstance(made, dict)
    assert [flow["id"] for flow in found] == [made["id"]]


def test_local_api_ends_if_what_is_done_meanwhile_fails(settings: Settings):
    urls: list[str] = []

    def fail(session: ApiSession) -> None:
        urls.append(session.url)
        raise ImportError

    with pytest.raises(ImportError):
        prefect_api(settings, fail).__enter__()
    assert wait_until_gone(urls[0], 20)
    assert not (settings.prefect_path / "server.json").exists()


@pytest.mark.server
def test_local_api_user_is_killed_server_ends_all_the_same(settings: Settings, repo_root: Path):
    code = (
        "import sys, time; from infra.settings import load_settings;"
        "from infra.prefect_api.server import prefect_api\n"
        "with prefect_api(load_settings(state_dir=sys.argv[1], prefect_port=0)) as api:\n"
        "    print(api.url, flush=True); time.sleep(600)"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.state_dir)],
        cwd=repo_root,
        stdout=subprocess.PIPE,
        env=os.environ | {"PREFECT_PROFILES_PATH": str(settings.prefect_profiles)},
        text=True,
    )
    assert user.stdout is not None
    url = user.stdout.readline().strip()
    assert is_healthy(url)
    user.send_signal(signal.SIGKILL)
    user.communicate(timeout=10)
    assert wait_until_gone(url, 20)


def test_configured_api_answers_is_used_and_not_ended(settings: Settings, remote_api: str):
    chosen = settings.model_copy(update={"prefect_api_url": remote_api})
    told: list[ApiSession] = []
    with prefect_api(chosen, told.append) as session:
        assert told == [session]
        assert session == ApiSession(remote_api, environment={"PREFECT_API_URL": remote_api})
    assert is_healthy(remote_api)


def test_configured_api_of_a_profile_is_used(settings: Settings, remote_api: str):
    profile = f'active = "team"\n[profiles.team]\nPREFECT_API_URL = "{remote_api}"\n'
    settings.prefect_profiles.write_text(profile)
    with prefect_api(settings) as session:
        assert session.url == remote_api


def test_configured_api_does_not_answer_says_what_to_do(settings: Settings):
    chosen = settings.model_copy(update={"prefect_api_url": "http://127.0.0.1:9/api"})
    with pytest.raises(UsageError, match=r"'http://127.0.0.1:9/api' but no Prefect API answers"):
        prefect_api(chosen).__enter__()


def test_local_api_does_not_start_tells_the_end_of_its_log(settings: Settings):
    settings.prefect_path.mkdir(parents=True)
    (settings.prefect_path / "prefect.db").mkdir()  # SQLite cannot open a folder
    with pytest.raises(SightlineError, match=r"server (ended|does not answer).*server\.log ends"):
        prefect_api(settings.model_copy(update={"prefect_start_timeout_s": 60})).__enter__()


def test_session_tells_pages_of_the_ui():
    session = ApiSession("http://127.0.0.1:4200/api")
    assert session.ui_url == "http://127.0.0.1:4200"
    assert session.run_url("abc") == "http://127.0.0.1:4200/runs/flow-run/abc"


def test_use_after_prefect_was_imported_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "prefect", sys)
    with pytest.raises(SightlineError, match="imported before"):
        use(ApiSession("http://127.0.0.1:4200/api"))
