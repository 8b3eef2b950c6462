"""The real Active Record and delayed_job gem, in one long-lived Ruby process that is asked over pipes."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.dj.conftest import missing

PROGRAM = Path(__file__).with_name("real.rb")
NEEDED = "; ".join(
    f'require "{each}"' for each in ("active_record", "active_job", "delayed_job_active_record", "sqlite3", "pg")
)


class RealError(Exception):
    """Ruby raised; the text is its class and message."""


class Real:
    """See real.rb for what can be asked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["ruby", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, what: str, **values: object) -> Any:
        """Raises RealError."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"ask": what} | values) + "\n")
        line = self._process.stdout.readline()
        assert line, f"Ruby ended with {self._process.wait()}"
        reply = json.loads(line)
        if "error" in reply:
            raise RealError(reply["error"])
        return reply["answer"]

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


def need_ruby() -> None:
    """Skip (or, where every test must run, fail) without Ruby and the gem."""
    if not shutil.which("ruby"):
        missing("Ruby")
    if subprocess.run(["ruby", "-e", NEEDED], capture_output=True).returncode:
        missing("Ruby's delayed_job_active_record")
