"""`heroku version`, which imports nothing: it is what people time."""

import os
import sys

from hkcli import __version__


def version_text() -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    machine = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "unknown")
    return f"hkcli/{__version__} {sys.platform}-{machine} python-{python}"
