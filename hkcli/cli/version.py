"""`heroku version`, which imports nothing: it is what people time."""

import sys
from os import uname

from hkcli import __version__


def version_text() -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    return f"hkcli/{__version__} {sys.platform}-{uname().machine} python-{python}"
