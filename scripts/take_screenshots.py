"""Take the pictures of docs/images: the Prefect UI of a demo build, and its report page.

    python scripts/take_screenshots.py [--out docs/images] [--chromium /usr/bin/chromium]

It builds the demo into a folder of its own, serves the UI with the history of that build, and
drives headless Chromium through its DevTools protocol.  The UI is a single-page app that goes on
loading after the page has: a picture is taken when a text that must be on it is there, and the
script fails if it does not come.  Pictures over 300 KB get a palette.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from infra.prefect_api.server import prefect_api
from infra.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 300_000
WAIT_S = 60.0
SETTLE_S = 2.5
LOOKS = (3, 12)
"""Charts of the UI are drawn after their texts are there: at least and at most as many looks, until
two in a row are the same."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: what to open, how wide and dark, and the text that shows that it has loaded."""

    file: str
    url: str
    text: str
    width: int
    height: int
    dark: bool = False
    tab: str = ""


class Browser:
    """One page of a headless Chromium, driven through the DevTools protocol."""

    def __init__(self, socket: Connection) -> None:
        self._socket, self._last = socket, 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to one command."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=WAIT_S))
            if answer.get("id") == self._last:
                result: dict[str, Any] = answer.get("result", {})
                return result

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer.get("result", {}).get("value")

    def wait_for(self, script: str, what: str) -> None:
        """Return once the expression is true."""
        until = time.monotonic() + WAIT_S
        while not self.evaluate(script):
            if time.monotonic() > until:
                shown = self.evaluate("document.body.innerText")
                msg = f"{what} did not appear within {WAIT_S:g} s; the page shows {shown!r}"
                raise SystemExit(msg)
            time.sleep(0.2)

    def take(self, shot: Shot) -> bytes:
        """Return the picture as PNG."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=shot.width,
            height=shot.height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = "dark" if shot.dark else "light"
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=shot.url)
        if shot.tab:
            self._click(shot.tab)
        self.wait_for(f"document.body.innerText.includes({json.dumps(shot.text)})", shot.text)
        return self._settled()

    def _settled(self) -> bytes:
        least, most = LOOKS
        before = b""
        for look in range(most):
            time.sleep(SETTLE_S)
            png = b64decode(self.call("Page.captureScreenshot", format="png")["data"])
            if png == before and look >= least:
                break
            before = png
        return png

    def _click(self, label: str) -> None:
        """Click the innermost element that shows just this text, with a real mouse event."""
        found = (
            "[...document.querySelectorAll('body *')].findLast(e => !e.children.length"
            f" && e.textContent.trim() === {json.dumps(label)})"
        )
        self.wait_for(f"!!{found}", f"the tab {label}")
        box = self.evaluate(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])({found}.getBoundingClientRect())"
        )
        where = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **where)


@contextmanager
def browser(chromium: str) -> Iterator[Browser]:
    """Give a page of a Chromium with a profile of its own."""
    with tempfile.TemporaryDirectory(prefix="sightline-chromium-") as profile:
        process = subprocess.Popen(  # noqa: S603 - the browser the caller named
            [chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_page_address(Path(profile)), max_size=None, compression=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            process.wait(20)


def _page_address(profile: Path) -> str:
    """Return the DevTools address of the first page, once the browser has written its port."""
    note = profile / "DevToolsActivePort"
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if note.is_file() and note.read_text().strip():
            port = note.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = json.load(answer)
            for page in pages:
                if page["type"] == "page":
                    return str(page["webSocketDebuggerUrl"])
        time.sleep(0.1)
    msg = "Chromium did not open its DevTools port"
    raise SystemExit(msg)


def newest_run(api_url: str) -> str:
    """Return the id of the newest flow run of the recipe flow."""
    body = {"sort": "START_TIME_DESC", "limit": 1, "flows": {"name": {"any_": ["visreason"]}}}
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{api_url}/flow_runs/filter",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        (run,) = json.load(answer)
    return str(run["id"])


def save(png: bytes, path: Path) -> None:
    """Write the picture with as many colours as fit in `MAX_BYTES`."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    for colours in (256, 128, 64):
        if buffer.tell() <= MAX_BYTES:
            break
        buffer = io.BytesIO()
        image.quantize(colours).save(buffer, "PNG", optimize=True)
    path.write_bytes(buffer.getvalue())
    print(f"{path.name}: {image.width}x{image.height}, {buffer.tell() / 1000:.0f} kB")


def build_demo(lake: Path, state: Path) -> None:
    """Build the demo with a history of its own."""
    environment = dict(os.environ) | {"SIGHTLINE_STATE_DIR": str(state)}
    environment.pop("PREFECT_API_URL", None)
    command = [str(Path(sys.executable).with_name("sightline")), "build", "demo"]
    subprocess.run([*command, "--lake", str(lake)], env=environment, cwd=ROOT, check=True)  # noqa: S603


def shots(ui_url: str, run_id: str, lake: Path) -> list[Shot]:
    """Return every picture of the documentation."""
    run = f"{ui_url}/runs/flow-run/{run_id}"
    report = (lake / "reports" / "demo.html").as_uri()
    return [
        Shot("prefect-run.png", run, "Task Runs", 1400, 900),
        Shot("prefect-artifacts.png", run, "yield-funnel", 1400, 1180, tab="Artifacts"),
        Shot("report-wide-light.png", f"{report}#samples", "Samples", 1280, 1000),
        Shot("report-narrow-dark.png", report, "Yield", 420, 1000, dark=True),
    ]


def main() -> None:
    """Build, serve, look, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--folder", type=Path, help="Keep lake and history here, and reuse them.")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sightline-shots-") as temporary:
        folder = given.folder or Path(temporary)
        lake, state = folder / "lake", folder / "state"
        if not (lake / "reports").is_dir():
            build_demo(lake, state)
        os.environ.pop("PREFECT_API_URL", None)
        settings = load_settings(
            state_dir=state, prefect_profiles=state / "profiles.toml", prefect_port=0
        )
        with prefect_api(settings) as session, browser(given.chromium) as page:
            for shot in shots(session.ui_url, newest_run(session.url), lake):
                save(page.take(shot), given.out / shot.file)


if __name__ == "__main__":
    main()
