from pathlib import Path

import pytest

from hkcli.cli.reference import files

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", files())
def test_what_is_made_from_the_command_table_is_as_the_table_is_now(name):
    assert (ROOT / name).read_text() == files()[name], "stale: make docs"
