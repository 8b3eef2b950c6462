"""`heroku dj` and its family on an app whose database is MySQL: the platform on a stubbed wire, a real MariaDB."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hkcli.dj.status import JobTable, free_jobs_of_host
from hkcli.dj.status.reading import reading_engine, writing_engine
from tests.client.test_dj import DYNO, LOG, MAIL
from tests.dj.conftest import missing
from tests.dj.servers import mysql, why_no_mysql

NOW = datetime.now(UTC).replace(microsecond=0)
TABLE = """CREATE TABLE `delayed_jobs` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
 `priority` int DEFAULT 0 NOT NULL, `attempts` int DEFAULT 0 NOT NULL, `handler` text NOT NULL, `last_error` text,
 `run_at` datetime(6), `locked_at` datetime(6), `failed_at` datetime(6), `locked_by` varchar(255), `queue` varchar(255),
 `created_at` datetime(6), `updated_at` datetime(6), INDEX `delayed_jobs_priority` (`priority`, `run_at`))"""
"""As Rails 6.1 and the gem's generator make it."""
INSERT = sa.text(
    "INSERT INTO delayed_jobs (priority, attempts, handler, last_error, run_at, locked_at, locked_by, failed_at, queue,"
    " created_at, updated_at) VALUES (1, :attempts, :handler, :error, :run_at, :locked_at, :locked_by, :failed_at,"
    " 'mail', :past, :past)"
)
BUILD = "--- !ruby/object:Delayed::PerformableMethod\nobject: !ruby/class 'Report'\nmethod_name: :build\nargs: []\n"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if why := why_no_mysql():
        missing(why)
    with mysql() as address:
        yield address


@pytest.fixture
def jobs(server: str) -> Iterator[sa.Engine]:
    """Job 1 is due, 2 and 3 were given up, 4 is locked by a worker that is gone, 5 runs, 6 is for later."""
    past, later = (NOW + timedelta(minutes=minutes) for minutes in (-1, 60))
    plain = {"attempts": 0, "handler": MAIL, "error": None, "run_at": past, "past": past}
    plain |= {"locked_at": None, "locked_by": None, "failed_at": None}
    gave_up = {"attempts": 25, "handler": BUILD, "failed_at": past}
    rows = [
        plain,
        *(plain | gave_up | {"error": f"RuntimeError: no paper in tray {tray}\ntrace"} for tray in (1, 2)),
        *(plain | {"locked_at": past, "locked_by": f"host:railgun.1 pid:{pid}"} for pid in (6, 7)),
        plain | {"run_at": later},
    ]
    engine = writing_engine(server)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE OR REPLACE DATABASE app CHARACTER SET utf8mb4")
    engine.dispose()
    engine = writing_engine(f"{server}app?pool=5")
    with engine.begin() as connection:
        connection.exec_driver_sql(TABLE)
        for row in rows:
            values = {key: v.replace(tzinfo=None) if isinstance(v, datetime) else v for key, v in row.items()}
            connection.execute(INSERT, values)
    yield engine
    engine.dispose()


@pytest.fixture
def known(platform, server, jobs):
    """Announces what the platform says of the app, once for each command."""

    def announce(log: bool = True, facts: bool = True) -> None:
        platform.on("GET", "/apps/demo/config-vars", reply={"DATABASE_URL": f"{server}app?pool=5"})
        if log:
            platform.on("POST", "/apps/demo/log-sessions", reply={"id": "1", "logplex_url": "http://localhost:5080/l"})
            platform.on("GET", "/l", reply=LOG, headers={"Content-Type": "text/plain"})
        if facts:
            platform.on("GET", "/apps/demo/dynos", reply=[DYNO])
            platform.on("GET", "/apps/demo/addons", reply=[])

    return announce


def ids(jobs: sa.Engine, condition: str) -> list[int]:
    with jobs.connect() as connection:
        return list(connection.exec_driver_sql(f"SELECT id FROM delayed_jobs WHERE {condition} ORDER BY id").scalars())


def test_the_screen_and_its_document_are_true(heroku, known):
    known()
    shown = heroku("dj", "--app", "demo").stdout
    assert "1 due   2 running   0 retrying   1 later   2 given up" in shown
    assert re.search(r"  2x  Report\.build  \d+ m ago  RuntimeError: no paper in tray #\n", shown)
    assert "locked by host:railgun.1 pid:6, which is gone  > heroku dj:unlock --app demo" in shown
    assert "worker.1 up" in shown and "MailJob #5" in shown
    known()
    told = heroku("dj", "--json", "--app", "demo").json
    assert told["counts"] == {"running": 2, "due": 1, "retrying": 0, "scheduled": 1, "failed": 2}
    assert 60 <= told["oldest_due_s"] < 3_600 and told["upcoming"][0]["id"] == 6 and told["era"] == "4"
    assert [(each["name"], each["text"], each["count"]) for each in told["errors"]] == [
        ("Report.build", "RuntimeError: no paper in tray", 2)
    ]


def test_jobs_are_listed_shown_retried_removed_and_unlocked(heroku, known, jobs):
    known()
    listed = heroku("dj:jobs", "--failed", "--job", "Report.build", "--matching", "tray 2", "--app", "demo").stdout
    assert listed.startswith("3\tReport.build\tmail\t1\t25\tgiven up after 25 attempts")
    known()
    assert "no paper in tray 1\ntrace" in heroku("dj:show", "2", "--app", "demo").stdout
    known(log=False, facts=False)
    assert "1 due now" in heroku("dj:retry", "2", "--app", "demo").stderr
    assert ids(jobs, "attempts = 0 AND failed_at IS NULL AND run_at <= UTC_TIMESTAMP(6)") == [1, 2, 4, 5]
    known(log=False, facts=False)
    told = heroku("dj:remove", "--queue", "mail", "--confirm", "demo", "--app", "demo").stderr
    assert "4 removed, 2 left alone: running" in told and ids(jobs, "1 = 1") == [4, 5]
    known()
    assert "1 unlocked" in heroku("dj:unlock", "--app", "demo").stderr and ids(jobs, "locked_by IS NULL") == [4]


def test_looking_writes_nothing_and_the_backend_frees_jobs_there_too(server, jobs):
    with pytest.raises(sa.exc.SQLAlchemyError, match="READ ONLY"), reading_engine(f"{server}app").begin() as connection:
        connection.exec_driver_sql("DELETE FROM delayed_jobs")
    freed = free_jobs_of_host(f"{server}app", {}, "railgun.1", NOW, crashed=False)
    assert freed == {"host:railgun.1 pid:6": 1, "host:railgun.1 pid:7": 1} and ids(jobs, "locked_by IS NOT NULL") == []
    with JobTable(f"{server}nowhere") as table:
        table.look(NOW)
        assert "Unknown database 'nowhere'" in table.trouble
