"""Pages and a server for them, with faults planted that a browser has to show."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import playwright
import pytest

BLOCKED = """<!doctype html><title>blocked</title><canvas id="c" width="400" height="300"></canvas><script>
function burn(ms) { const begun = performance.now(); while (performance.now() - begun < ms); }
const drawn = document.getElementById('c').getContext('2d'); let count = 0;
function draw() {
  drawn.fillStyle = count++ & 1 ? 'teal' : 'orange'; drawn.fillRect(10, 10, 80, 80); requestAnimationFrame(draw);
}
draw();
if (BLOCK_MS) setInterval(function tick() { burn(BLOCK_MS); }, EVERY_MS);
</script>"""
LEAKING = """<!doctype html><button id="leak">leak</button><button id="tidy">tidy</button><script>
const kept = [];
document.getElementById('leak').onclick = () => {
  for (let count = 0; count < 3000; count++) {
    const made = document.createElement('p'); made.addEventListener('click', () => made); kept.push(made);
  }
};
document.getElementById('tidy').onclick = () => {
  const made = document.createElement('p'); document.body.append(made); made.remove();
};
</script>"""
BUTTON = """<!doctype html><button id="slow">slow</button><p id="line">a line</p><script>
document.getElementById('slow').onclick = function answerSlowly() {
  const begun = performance.now(); while (performance.now() - begun < 60);
  document.getElementById('line').style.marginTop = '30px';
};
</script>"""
RENDERING = """<!doctype html><ul id="rows"></ul><script>
const rows = document.getElementById('rows'); let count = 0;
setInterval(function renderAll() {
  rows.innerHTML = Array.from({length: 100}, () => `<li><b>row</b> <i>SHOWN</i></li>`).join('');
}, 50);
</script>"""
REACT_PATH = "/report.js"
RENDERS_ANEW = "dispatchEvent(new PopStateEvent('popstate'))"

needs_browser = pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), reason="no Chromium is installed"
)


def blocked(milliseconds: int, every_ms: int = 1000) -> str:
    return BLOCKED.replace("BLOCK_MS", str(milliseconds)).replace("EVERY_MS", str(every_ms))


def rendering(shown: str) -> str:
    """A list that is built anew 20 times a second, in each line what the expression of a template gives."""
    return RENDERING.replace("SHOWN", shown)


def react_page(script: str) -> str:
    """React's production build in an application that comes with Playwright, and a script beside it."""
    return f"<div id='root'></div><script>{script}</script><script type='module' src='{REACT_PATH}'></script>"


def react_script() -> dict[str, str | int]:
    """The application, which renders anew whenever it is told of another address, be it the old one."""
    path = Path(playwright.__file__).parent / "driver/package/lib/vite/htmlReport/report.js"
    return {REACT_PATH: path.read_text("utf-8")}


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go, also those of programs that a test starts: short enough for a browser's socket."""
    with tempfile.TemporaryDirectory(prefix="sp", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@contextmanager
def served(pages: Mapping[str, str | int], asked: list[str] | None = None) -> Iterator[str]:
    """The address of a server with these pages by their paths; a number is an answer with that status.

    `/slow` never ends its answer; `asked` collects the paths that were asked for.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            page = pages.get(self.path, 404)
            status, text = (page, "an error") if isinstance(page, int) else (200, page)
            self.send_response(status)
            self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
            if self.path == "/slow":
                self.send_header("Content-Length", "10")
                self.end_headers()
                self.wfile.write(b"<")
                self.wfile.flush()
                time.sleep(20)
                return
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
