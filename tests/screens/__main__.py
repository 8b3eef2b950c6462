"""make screens: the README's pictures anew, of a real backend with real workers; takes some minutes.

python -m tests.screens [SECONDS]        how long the app is at work before the pictures are taken
"""

import io
import math
import re
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from hkcli.api.client import PlatformAPI
from hkcli.cli.dj_screen import frame
from hkcli.dj.status import Facts, JobTable, Snapshot, WorkerFact, WorkerLog
from tests.backends import Backend
from tests.screens.stage import Stage

PICTURES = Path(__file__).parent / "pictures"
APP = "lingering-mist"
SETTINGS = {
    "DJ_MAX_ATTEMPTS": "2",
    "DJ_DESTROY_FAILED_JOBS": "false",
    "SLEEP_DELAY": "1",
    "QUEUES": "mail,reports,imports",
}


def play(stage: Stage, seconds: float) -> None:
    """A day at work: mail in waves, reports now and then, a feed that does not answer, a release in between."""
    stage.enqueue("MailJob", 40, in_s=7200, to="grace@example.org", queue="mail")
    begun, released = time.monotonic(), False
    while (now_s := time.monotonic() - begun) < seconds:
        wave = 1 + math.sin(now_s / 14)
        stage.enqueue("MailJob", int(24 * wave) + 2, to="ada@example.org", seconds=0.09, queue="mail")
        if int(now_s) % 40 < 2:
            stage.enqueue("ReportJob", name="october", seconds=6, queue="reports")
            stage.enqueue("ImportJob", 3, url="https://feeds.example.org/stock.xml", queue="imports")
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


def snapshot(stage: Stage) -> Snapshot:
    """As `heroku dj` reads it."""
    api = PlatformAPI(stage.backend.url, stage.backend.credentials["token"])
    log = WorkerLog()
    log.feed(stage.backend.logs(APP).splitlines())
    workers = tuple(
        WorkerFact(each["name"], each["state"], datetime.fromisoformat(each["updated_at"]), release="v6")
        for each in api.dynos(APP)
    )
    with JobTable(stage.address, SETTINGS) as table:
        now = datetime.now(UTC)
        table.look_through(now, 10)
        return table.snapshot(now, Facts(APP, workers=workers, config=SETTINGS, has_addon=True), log)


def draw(screen: Snapshot, name: str) -> None:
    """The terminal's screen at 80x24, as SVG, without the web font that rich would fetch."""
    console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="standard")
    for line in frame(screen, 80, 24):
        console.print(Text.assemble(*((text, style) for text, style in line), no_wrap=True, overflow="crop"))
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
            play(stage, seconds)
            stage.enqueue("MailJob", 400, to="ada@example.org", seconds=0.09, queue="mail")
            draw(snapshot(stage), "terminal.svg")
            take(browser, stage, "web.png", width=1280, height=1000, scheme="light")
            trouble(stage)
            take(browser, stage, "phone.png", width=390, height=844, scheme="dark")
            stage.close()
        finally:
            browser.close()
            backend.stop()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 240)
