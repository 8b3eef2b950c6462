"""The stack: programs that dynos find by `$HKCLI_STACK_BIN`, written anew at each start of the backend."""

import shlex
import sys
from pathlib import Path

PROGRAMS = {
    "rake": ("-m", "hkcli.dj.rake"),
    "python": (),
    "python3": (),
}


def install(directory: Path) -> Path:
    """Write the programs; the folder to put on PATH. They run on the Python that runs the backend."""
    directory.mkdir(exist_ok=True)
    for name, words in PROGRAMS.items():
        program = directory / name
        command = shlex.join([sys.executable, *words])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
    return directory
