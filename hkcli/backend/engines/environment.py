"""The environment of a dyno, built from nothing: what the backend itself was started with never reaches an app.

From weakest to strongest: the defaults, the app's config vars, and what belongs to the dyno alone."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hkcli.backend.engines.members import DYNO_MARK, ENGINE_MARK

RUBY_PRELUDE = Path(__file__).parent / "railgun.rb"


@dataclass(frozen=True)
class Place:
    """Where one dyno runs."""

    engine_id: str
    dyno_id: str
    home: Path
    tmp: Path
    port: int
    hostname: str
    path: str
    stack_bin: Path | None = None


def environment(config_vars: Mapping[str, str], dyno: str, place: Place, term: str | None = None) -> dict[str, str]:
    """Every variable a dyno sees. Config vars may replace the first group, and add to RUBYOPT and RUBYLIB."""
    defaults = {
        "PATH": place.path,
        "LANG": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
        "TZ": "UTC",
        "SHELL": "/bin/bash",
        "TMPDIR": str(place.tmp),
        "PYTHONUNBUFFERED": "1",
    }
    own = {
        "DYNO": dyno,
        "PORT": str(place.port),
        "HOME": str(place.home),
        "HOSTNAME": place.hostname,
        ENGINE_MARK: place.engine_id,
        DYNO_MARK: place.dyno_id,
    }
    if term:
        own["TERM"] = term
    if place.stack_bin:
        own["HKCLI_STACK_BIN"] = str(place.stack_bin)
    return {**defaults, **config_vars, **ruby_prelude(config_vars), **own}


def ruby_prelude(config_vars: Mapping[str, str], prelude: Path = RUBY_PRELUDE) -> dict[str, str]:
    """RUBYOPT that loads the prelude; by RUBYLIB if its path has a space, where RUBYOPT would be cut."""
    if " " not in str(prelude):
        return {"RUBYOPT": joined(" ", f"-r{prelude}", config_vars.get("RUBYOPT"))}
    return {
        "RUBYOPT": joined(" ", f"-r{prelude.stem}", config_vars.get("RUBYOPT")),
        "RUBYLIB": joined(":", str(prelude.parent), config_vars.get("RUBYLIB")),
    }


def joined(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
