"""Answers kept until the store changes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.responses import Response

from hkcli.backend.answers import MOST_BYTES, Answers
from hkcli.backend.store import Schema, Store, User

NOW = datetime(2026, 11, 25, tzinfo=UTC)
QUESTION = ("http://localhost/apps", "Bearer one")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    yield store
    store.close()


def keep(answers: Answers, body: bytes = b"[]", status: int = 200, until: datetime | None = None) -> None:
    answers.keep(QUESTION, "user", Response(body, status), as_of=answers.store.changes, until=until)


def test_reading_changes_nothing_and_writing_does(store: Store) -> None:
    before = store.changes
    with store.transaction() as session:
        session.query(Schema).one()
    assert store.changes == before
    with pytest.raises(ValueError), store.transaction() as session:
        session.add(User(email="ada@example.com", password_hash="x"))
        session.flush()
        raise ValueError
    assert store.changes == before
    with store.transaction() as session:
        session.add(User(email="ada@example.com", password_hash="x"))
    assert store.changes == before + 1


def test_an_answer_is_good_until_the_store_changes(store: Store) -> None:
    answers = Answers(store)
    keep(answers, b"[1]")
    known = answers.find(QUESTION)
    assert known is not None and known.response().body == b"[1]" and known.user_id == "user"
    assert answers.find(("http://localhost/apps", "Bearer two")) is None and answers.find(None) is None
    with store.transaction() as session:
        session.query(User).delete()
    assert answers.find(QUESTION) is None


def test_an_answer_is_not_good_for_a_token_that_has_expired(store: Store) -> None:
    moment = NOW
    answers = Answers(store, clock=lambda: moment)
    keep(answers, until=NOW + timedelta(seconds=1))
    assert answers.find(QUESTION) is not None
    moment = NOW + timedelta(seconds=1)
    assert answers.find(QUESTION) is None


def test_only_good_answers_are_kept_and_only_as_many_as_there_is_room_for(store: Store) -> None:
    answers = Answers(store)
    keep(answers, status=404)
    assert answers.find(QUESTION) is None
    answers.keep(QUESTION, "user", Response(b"[]"), as_of=store.changes - 1, until=None)
    assert answers.find(QUESTION) is None
    keep(answers)
    answers.keep(("large",), "user", Response(b"x" * MOST_BYTES), as_of=store.changes, until=None)
    assert answers.find(QUESTION) is None and answers.find(("large",)) is not None


def test_long_questions_take_room_too(store: Store) -> None:
    answers, times = Answers(store), 20
    for number in range(times):
        question = (str(number), "x" * (2 * MOST_BYTES // times))
        answers.keep(question, "user", Response(b"[]"), as_of=store.changes, until=None)
    assert answers.find(question) is not None
    assert answers.find(("0", "x" * (2 * MOST_BYTES // times))) is None
