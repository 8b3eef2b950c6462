"""make screens: the README's pictures anew, of a real backend with real workers; takes some minutes.

python -m tests.screens [SECONDS]        how long the app is at work before the pictures are taken
"""

import io
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from tests.backends import Backend
from tests.screens.stage import Stage

PICTURES = Path(__file__).parent / "pictures"
APP = "lingering-mist"
SETTINGS = {
    "DJ_MAX_ATTEMPTS": "3",
    "DJ_DESTROY_FAILED_JOBS": "false",
    "SLEEP_DELAY": "1",
    "QUEUES": "mail,reports,imports",
}


def play(stage: Stage, seconds: float) -> None:
    """A day at work: mail in waves, reports now and then, a feed that does not answer, a printer that has no paper now
    and then, a release in between."""
    stage.enqueue("MailJob", 40, in_s=7200, to="grace@example.org", queue="mail")
    begun, released, page, next_s = time.monotonic(), False, 0, 0.0
    while (now_s := time.monotonic() - begun) < seconds:
        wave = 1 + math.sin(now_s / 14)
        stage.enqueue("MailJob", int(24 * wave) + 2, to="ada@example.org", seconds=0.09, queue="mail")
        if now_s >= next_s:
            next_s += 20
            stage.enqueue("ReportJob", name="october", seconds=6, queue="reports")
            stage.enqueue("ImportJob", 2, url="https://feeds.example.org/stock.xml", queue="imports")
            for _ in range(int(2 * wave)):
                page += 1
                stage.enqueue("PrintJob", page=page, queue="reports")
        if not released and now_s > seconds * 0.6:
            released = True
            stage.backend.ok("PATCH", f"/apps/{APP}/config-vars", {"MAIL_FROM": "news@example.org"})
        time.sleep(1.5)


def trouble(stage: Stage) -> None:
    """What the second picture is of: a queue that nobody works, a release later."""
    stage.enqueue("MailJob", 1_240, to="ada@example.org", queue="newsletter")
    time.sleep(20)


def take(browser: Any, stage: Stage, name: str, *, width: int, height: int, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    page = context.new_page()
    page.goto(stage.link())
    page.wait_for_selector("#age.old", state="detached")
    page.wait_for_timeout(2_500)
    page.screenshot(path=PICTURES / name)
    context.close()


@contextmanager
def terminal(backend: Backend, folder: Path) -> Iterator[list[str]]:
    """`heroku dj` in a real terminal of 80 columns and 24 lines; the words of a tmux client that finds it."""
    tmux = ["tmux", "-u", "-f", "/dev/null", "-S", str(folder / "tmux")]
    folder.joinpath("heroku").mkdir()
    asked = {"HOME": str(folder / "heroku"), "TERM": "screen-256color", "LANG": "C.UTF-8"}
    asked |= {"HEROKU_HOST": backend.url, "HEROKU_API_KEY": backend.credentials["token"]}
    command = shlex.join([sys.executable, "-m", "hkcli", "dj", "--app", APP])
    size = ["-x", "80", "-y", "24"]
    start = [*tmux, "new-session", "-d", *size, command, ";", "set", "status", "off", ";", "resize-window", *size]
    subprocess.run(start, env=os.environ | asked, check=True)
    try:
        yield tmux
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)


def draw(tmux: list[str], name: str) -> None:
    """The terminal's screen as SVG, without the web font that rich would fetch."""
    shown = subprocess.check_output([*tmux, "capture-pane", "-e", "-p"], text=True)
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="standard")
    for line in shown.splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", highlight=False)
    svg = console.export_svg(title=f"heroku dj --app {APP}")
    (PICTURES / name).write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))


def main(seconds: float) -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        backend = Backend(Path(folder) / "home").start()
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            stage = Stage.set(backend, Path(folder) / "app", APP, **SETTINGS)
            stage.add_workers("dj:trio")
            watcher = browser.new_page()
            watcher.goto(stage.link())
            with terminal(backend, Path(folder)) as tmux:
                play(stage, seconds)
                stage.enqueue("MailJob", 400, to="ada@example.org", seconds=0.09, queue="mail")
                take(browser, stage, "web.png", width=1280, height=1000, scheme="light")
                draw(tmux, "terminal.svg")
            trouble(stage)
            take(browser, stage, "phone.png", width=390, height=844, scheme="dark")
            stage.close()
        finally:
            browser.close()
            backend.stop()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 240)
