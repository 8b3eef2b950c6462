"""The backend on this machine, as commands have it do things."""

import sys
from pathlib import Path

import pytest

from hkcli.api.errors import HerokuError
from hkcli.cli import local_backend
from hkcli.cli.local_backend import LocalBackend


def test_a_backend_that_is_not_done_in_time_is_ended_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = tmp_path / "stuck"
    stuck.write_text("#!/bin/sh\nexec sleep 600\n")
    stuck.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(stuck))
    monkeypatch.setattr(local_backend, "AT_REST_S", 0.1)
    backend = LocalBackend(tmp_path)
    with pytest.raises(HerokuError, match=r"0.1 s \(--snapshot save\).* Your apps and their data are safe"):
        backend.snapshot_at_rest("save", "a")
    with pytest.raises(HerokuError, match=r"0.1 s \(--reset\).* the rest is when you reset again"):
        backend.clear()
