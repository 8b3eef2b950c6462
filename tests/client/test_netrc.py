import netrc as reference
import stat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hkcli.cli.netrc import entries, erase, erased, lookup, netrc_path, store, stored

MESSY = """# my logins
machine example.com
\tlogin bob   password "two words"

machine localhost:5080 login a@b password old # mine
macdef init
machine not.a.machine login x password y

default login anonymous password guest
"""

hosts = st.from_regex(r"[a-z0-9.-]{1,12}(:[0-9]{1,5})?", fullmatch=True)
values = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
pieces = st.sampled_from(
    [
        "machine",
        "login",
        "password",
        "account",
        "default",
        "macdef",
        "x",
        "localhost:5080",
        "# note",
        '"a b"',
        '"',
        "\n",
        "\n\n",
        " ",
        "\t",
        "é",
    ]
)


def test_other_entries_and_comments_survive_an_update_byte_for_byte():
    assert stored(MESSY, "localhost:5080", "a@b", "new") == MESSY.replace("old", "new")


def test_a_new_entry_stands_behind_all_else():
    assert stored(MESSY, "new.example", "me", "t") == MESSY + "machine new.example\n  login me\n  password t\n"


def test_a_last_line_without_newline_is_not_joined_with_the_new_entry():
    assert stored("machine a password b", "c", "d", "e") == "machine a password b\nmachine c\n  login d\n  password e\n"


def test_an_entry_without_login_gets_one():
    text = stored("machine a password old\nmachine b password c\n", "a", "me", "new")
    assert text == "machine a password new\n  login me\nmachine b password c\n"


def test_a_machine_inside_a_macro_or_a_comment_is_none():
    assert [entry.machine for entry in entries(MESSY)] == ["example.com", "localhost:5080"]
    assert list(entries("# machine a login b password c\n")) == []


def test_a_quoted_password_is_read_without_its_quotes(tmp_path):
    path = tmp_path / "netrc"
    path.write_text(MESSY)
    assert lookup(path, "example.com") == ("bob", "two words")


def test_erasing_takes_the_entry_alone():
    assert (
        erased("machine a login b password c\n# keep\nmachine d password e\n", "a") == "# keep\nmachine d password e\n"
    )


def test_a_missing_file_holds_nothing_and_is_made_private(tmp_path):
    path = tmp_path / "netrc"
    assert lookup(path, "a") is None and not erase(path, "a") and not path.exists()
    store(path, "a", "me", "t")
    assert lookup(path, "a") == ("me", "t")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_all_could_read_becomes_private(tmp_path):
    path = tmp_path / "netrc"
    path.write_text("machine a password b\n")
    path.chmod(0o644)
    store(path, "a", "me", "t")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_symbolic_link_stays_one(tmp_path):
    target, link = tmp_path / "real", tmp_path / "netrc"
    target.write_text("# kept\n")
    link.symlink_to(target)
    store(link, "a", "me", "t")
    assert link.is_symlink() and target.read_text().startswith("# kept\nmachine a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["netrc", "real"]


def test_bytes_that_are_no_text_survive(tmp_path):
    path = tmp_path / "netrc"
    path.write_bytes(b"# caf\xe9\r\nmachine a password b\r\n")
    store(path, "c", "me", "t")
    assert path.read_bytes().startswith(b"# caf\xe9\r\nmachine a password b\r\n")


@pytest.mark.parametrize(
    ("env", "expected"),
    [({"HOME": "/h"}, "/h/.netrc"), ({"HOME": "/h", "NETRC": "/n"}, "/n"), ({"HOME": "/h", "NETRC": ""}, "/h/.netrc")],
)
def test_the_file_is_in_the_home_folder_unless_netrc_names_it(env, expected):
    assert str(netrc_path(env)) == expected


@example("macdef \n\n default", "host", "me", "t").via("a macro's name may stand behind a blank line")
@given(st.lists(pieces, max_size=30).map(" ".join), hosts, values, values)
def test_whatever_the_file_holds_what_was_stored_is_found_and_the_rest_stays(text, host, login, token):
    before = [(entry.machine, {key: word.value for key, word in entry.values.items()}) for entry in entries(text)]
    changed = stored(text, host, login, token)
    after = [(entry.machine, {key: word.value for key, word in entry.values.items()}) for entry in entries(changed)]
    mine = [found for found in after if found[0] == host]
    if text_ends_openly(text) and host not in [name for name, _ in before]:
        return
    assert mine[0][1]["login"] == login and mine[0][1]["password"] == token
    assert [each for each in after if each[0] != host] == [each for each in before if each[0] != host]


@given(st.lists(pieces, max_size=30).map(" ".join), hosts, values, values, values)
def test_what_was_there_stays_byte_for_byte_whatever_comes_behind_it(text, host, login, first, second):
    if host in [entry.machine for entry in entries(text)]:
        return
    once = stored(text, host, login, first)
    assert once.startswith(text)
    if not text_ends_openly(text):
        assert stored(once, host, login, second) == stored(text, host, login, second), "the value alone is replaced"


def text_ends_openly(text):
    """A keyword without its value swallows whatever is written behind it."""
    words = text.split()
    return bool(words) and words[-1] in ("machine", "login", "password", "account", "macdef")


@given(hosts, values, values)
def test_pythons_own_reader_finds_what_was_stored(tmp_path_factory, host, login, token):
    path = tmp_path_factory.mktemp("netrc") / "netrc"
    store(path, host, login, token)
    found = reference.netrc(str(path)).authenticators(host)
    assert found is not None and (found[0], found[2]) == (login, token)


@given(st.lists(st.tuples(hosts, values), min_size=1, max_size=5), hosts)
def test_erasing_one_host_keeps_the_others(pairs, gone):
    text = ""
    for host, token in pairs:
        text = stored(text, host, "me", token)
    left = {entry.machine: entry.values["password"].value for entry in entries(erased(text, gone))}
    assert left == {host: token for host, token in pairs if host != gone}
