import re
import subprocess
from pathlib import Path

import pytest

from hkcli.cli.manual import ENVIRONMENT
from hkcli.cli.reference import files
from hkcli.cli.table import names

ROOT = Path(__file__).parents[2]
MADE = files()


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_from_the_command_table_is_as_the_table_is_now(name):
    assert (ROOT / name).read_text() == MADE[name], "stale: make docs"


def test_the_manual_page_is_sound_and_shows_every_command_as_it_is_typed(needs):
    needs("groff")
    page = ROOT / "hkcli" / "man" / "heroku.1"
    words = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=100n", str(page)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    for name in names(aliases=False):
        assert re.search(rf"^ +heroku {re.escape(name)}( |$)", shown.stdout, re.MULTILINE), name
    assert "$ heroku login --token < token.txt\n" in shown.stdout
    assert "$ echo '{\"maintenance\": false}' | heroku api PATCH /apps/example-app\n" in shown.stdout


def test_the_manual_page_tells_every_variable_of_ours_that_is_read():
    sources = [path.read_text() for house in ("cli", "api") for path in (ROOT / "hkcli" / house).rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'env(?:\.get\(|\[)"(\w+)"', source)}
    ours = {name for name in read if name.startswith(("HEROKU_", "HKCLI_"))}
    assert len(ours) > 8 and ours <= set(ENVIRONMENT)


def test_the_manual_page_is_installed_where_man_looks():
    assert "share/man/man1 =\n    hkcli/man/heroku.1\n    hkcli/man/hkcli.1\n" in (ROOT / "setup.cfg").read_text()
