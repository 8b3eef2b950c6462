from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hkcli.dj.ruby import RubyClass, RubyObject, Symbol
from hkcli.dj.ruby_yaml import Unreadable, dump, load

text = st.text(st.characters(exclude_categories=["Cs"]))
names = st.from_regex(r"\A[A-Z][a-zA-Z0-9]{0,8}(::[A-Z][a-z]{0,5})?\Z")
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | text
    | text.map(Symbol)
    | st.binary()
    | st.dates(date(1, 1, 1))
    | st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC))
    | names.map(RubyClass)
    | st.decimals(allow_nan=False, allow_infinity=False)
)
keys = text | text.map(Symbol) | st.integers()


def collections(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), values, max_size=4)
    return (
        st.lists(values, max_size=4)
        | st.dictionaries(keys, values, max_size=4)
        | st.builds(RubyObject, st.sampled_from(["struct", "object"]), names.filter(lambda name: name != "Set"), fields)
    )


@given(st.recursive(scalars, collections, max_leaves=12))
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    back = load(dump(value))
    assert back == value and _types(back) == _types(value)


def _types(value: Any) -> Any:
    """Equality does not tell a symbol from a string, nor True from 1."""
    if isinstance(value, list):
        return [_types(item) for item in value]
    if isinstance(value, dict):
        return sorted(((str(type(key)), str(key), str(_types(item))) for key, item in value.items()))
    return _types(value.fields) if isinstance(value, RubyObject) else type(value)


def test_a_struct_is_written_as_psych_writes_it() -> None:
    job = RubyObject("struct", "NewsletterJob", {"text": "lorem ipsum", "emails": ["a@x.org", Symbol("x")], "at": None})
    assert dump(job) == "--- !ruby/struct:NewsletterJob\ntext: lorem ipsum\nemails:\n- a@x.org\n- :x\nat:\n"


def test_objects_are_written_as_psych_writes_them() -> None:
    assert dump(RubyObject("object", "NoAttrs")) == "--- !ruby/object:NoAttrs {}\n"
    call = {"object": RubyClass("Mailer"), "method_name": Symbol("deliver"), "args": ["x", Symbol("y"), [1]]}
    assert dump(RubyObject("object", "Delayed::PerformableMethod", call)) == (
        "--- !ruby/object:Delayed::PerformableMethod\nobject: !ruby/class 'Mailer'\nmethod_name: :deliver\n"
        "args:\n- x\n- :y\n- - 1\n"
    )


@pytest.mark.parametrize(
    "word", ["2009-1-1", ":sym", "1,000", "0:30", ':"q"', "yes", "n", "~", "null", "1e3", "", " a", "a "]
)
def test_text_that_looks_like_something_else_is_quoted(word: str) -> None:
    assert dump(word).startswith('--- "')


@pytest.mark.parametrize(
    ("yaml", "value"),
    [
        ("--- :a\n", Symbol("a")),
        ("--- :with space\n", Symbol("with space")),
        ("--- ! ':a: b'\n", Symbol("a: b")),
        ('--- ":sym"\n', ":sym"),
        ("--- !ruby/symbol x\n", Symbol("x")),
        ('---\n:s: :t\n"k": 1\n', {Symbol("s"): Symbol("t"), "k": 1}),
        ("---\n? - 1\n  - 2\n: 5\n", {(1, 2): 5}),
        ("--- 2009-02-03 04:05:06.789012000 Z\n", datetime(2009, 2, 3, 4, 5, 6, 789012, UTC)),
        ("--- 2009-99-99\n", "2009-99-99"),
        ("--- !ruby/object:BigDecimal 18:0.125e1\n", Decimal("1.25")),
        ("--- !ruby/object:Set\nhash:\n  x: true\n", {"x"}),
        (
            "--- !ruby/range\nbegin: 1\nend: 2\nexcl: false\n",
            RubyObject("range", "", {"begin": 1, "end": 2, "excl": False}),
        ),
        ("--- !ruby/struct:Job \nx: 1\n", RubyObject("struct", "Job", {"x": 1})),
        ("--- [=]\n", ["="]),
    ],
)
def test_what_psych_writes_is_read(yaml: str, value: Any) -> None:
    assert load(yaml) == value and _types(load(yaml)) == _types(value)


def test_an_object_that_is_written_twice_is_read_once() -> None:
    one, two = load("--- \n- &1 !ruby/object:A\n  x: 1\n- *1\n")
    assert one is two


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
MERGE_BOMB = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


@pytest.mark.parametrize(
    "yaml",
    [
        pytest.param(BOMB, id="aliases of aliases"),
        pytest.param(MERGE_BOMB, id="merges of merges"),
        pytest.param("x" * 2_000_000, id="megabytes"),
        pytest.param("[" * 50_000, id="open brackets"),
        pytest.param("- " * 50_000, id="nested dashes"),
        pytest.param("{a: " * 400 + "}" * 400, id="nested braces"),
        pytest.param("--- &a [*a]\n", id="itself"),
        pytest.param("--- *nobody\n", id="alias of nothing"),
        pytest.param("--- !!python/object/apply:os.system ['true']\n", id="Python tag"),
        pytest.param("--- '", id="open quote"),
        pytest.param("--- a: b: c", id="not YAML"),
        pytest.param("--- !ruby/object:BigDecimal x\n", id="no decimal"),
        pytest.param("--- 1\n--- 2\n", id="two documents"),
        pytest.param("--- " + "9" * 10_000, id="too long a number"),
        pytest.param("--- \x00", id="NUL"),
    ],
)
def test_hostile_yaml_is_refused(yaml: str) -> None:
    with pytest.raises(Unreadable):
        load(yaml)


def test_what_cannot_be_written_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="refers to itself"):
        dump(cycle)
    with pytest.raises(ValueError, match="not Unicode"):
        dump("\ud800")
    with pytest.raises(TypeError, match="cannot carry a object"):
        dump(object())
