"""What a browser gets: our values put into the templates. Pure; job data is escaped wherever it is shown."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from hkcli.backend.dashboard.charts import Sample, charts, duration
from hkcli.dj.status import Minute, Snapshot, brief_span, span, verdict

HERE = Path(__file__).parent
REGIONS = ("head", "verdict", "figures", "charts", "workers", "waiting", "errors", "kinds", "upcoming", "queues")
"""Parts of the overview that are sent anew when they change; a template and an element each."""
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    content: bytes
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    return {
        path.name: Asset(path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted((HERE / "assets").iterdir())
        if path.suffix in MEDIA_TYPES
    }


@cache
def version() -> str:
    """Of pages and assets together: a browser that shows an older one loads itself anew."""
    digest = hashlib.sha256()
    for path in sorted(path for kind in ("css", "js", "svg", "html", "py") for path in HERE.rglob(f"*.{kind}")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "span": span,
        "duration": duration,
        "age": brief_span,
        "clock": clock,
        "count": "{:,}".format,
    }
    environment.globals["version"] = version()
    return environment


def clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def render(name: str, **values: Any) -> str:
    return templates().get_template(f"{name}.html").render(values)


def regions(screen: Snapshot, parts: Sequence[Minute | None], samples: Sequence[Sample], axis_s: int) -> dict[str, str]:
    """The overview's parts as HTML, by the id of their element."""
    values = {"screen": screen, "verdict": verdict(screen), "charts": charts(screen, parts, samples, axis_s)}
    return {name: render(f"regions/{name}", **values) for name in REGIONS}


def changed(now: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    return {name: html for name, html in now.items() if before.get(name) != html}


def ids_of(words: Sequence[str]) -> tuple[int, ...]:
    """Job numbers as a form sends them; anything else is left out."""
    return tuple(dict.fromkeys(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19))
