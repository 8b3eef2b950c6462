from datetime import UTC, datetime, timedelta

import pytest

from hkcli.cli.commands.ps import parse_updates
from hkcli.cli.units import ago, monthly_text, price_text, size_text
from tests.client.payloads import dyno, problem


def formation(kind, quantity=1):
    return {"type": kind, "quantity": quantity, "size": "Basic", "command": f"run {kind}"}


@pytest.mark.parametrize(
    ("words", "updates"),
    [
        (("web=2",), [{"type": "web", "quantity": "2"}]),
        (("web+1", "worker-1"), [{"type": "web", "quantity": "+1"}, {"type": "worker", "quantity": "-1"}]),
        (("web=2:standard-2x",), [{"type": "web", "quantity": "2", "size": "standard-2x"}]),
        (("web=standard-2x",), [{"type": "web", "size": "standard-2x"}]),
        (("two-words=0",), [{"type": "two-words", "quantity": "0"}]),
    ],
)
def test_words_become_updates(words, updates):
    assert parse_updates(words) == updates


@pytest.mark.parametrize("word", ["web", "web=", "=2", "web=2=3", "web=-", "web 2", "web=2:"])
def test_a_word_that_is_no_quantity_stops_all_before_any_request(heroku, platform, word):
    result = heroku("ps:scale", "web=2", word, "-a", "demo")
    assert result.exit_code == 2 and "is not TYPE=QUANTITY" in result.stderr


def test_scaling_tells_what_runs_now(heroku, platform):
    body = {"updates": [{"type": "worker", "quantity": "2"}]}
    platform.on("PATCH", "/apps/demo/formation", body, reply=[formation("web"), formation("worker", 2)])
    result = heroku("ps:scale", "worker=2", "-a", "demo")
    assert (result.exit_code, result.stderr) == (0, "Scaling dynos... done, now running worker at 2:Basic\n")


def test_a_mistyped_process_type_brings_the_nearest(heroku, platform):
    missing = problem("not_found", "Couldn't find that process type (wroker).", resource="formation")
    platform.on("PATCH", "/apps/demo/formation", status=404, reply=missing)
    platform.on("GET", "/apps/demo/formation", reply=[formation("worker")])
    result = heroku("ps:scale", "wroker=2", "-a", "demo")
    assert result.exit_code == 1 and "Did you mean: worker?" in result.stderr


def test_scaling_an_app_without_code_says_to_deploy(heroku, platform):
    platform.on("PATCH", "/apps/demo/formation", status=422, reply=problem("invalid_params", "Not deployed."))
    platform.on("GET", "/apps/demo/formation", reply=[])
    assert "Deploy it first" in heroku("ps:scale", "web=1", "-a", "demo").stderr


def test_scale_without_words_prints_what_should_run(heroku, platform):
    platform.on("GET", "/apps/demo/formation", reply=[formation("worker", 0), formation("web", 2)])
    assert heroku("ps:scale", "-a", "demo").stdout == "web=2:Basic worker=0:Basic\n"


def test_ps_groups_by_type_with_one_offs_first_and_numbers_in_order(heroku, platform):
    dynos = [dyno("worker.10"), dyno("run.1234", command="bash"), dyno("worker.2", state="crashed")]
    platform.on("GET", "/apps/demo/dynos", reply=dynos)
    lines = heroku("ps", "-a", "demo").stdout.splitlines()
    assert lines[0] == "=== run: one-off processes (1)"
    assert lines[2].startswith("run.1234 (Basic): up 2026/11/23 18:40:01 +0000 (~ ") and lines[2].endswith(": bash")
    assert lines[4] == "=== worker (Basic): rake jobs:work (2)"
    assert lines[6].startswith("worker.2: crashed 2026/11/23") and lines[7].startswith("worker.10: up")


def test_ps_of_a_type_that_does_not_run_is_an_error(heroku, platform):
    platform.on("GET", "/apps/demo/dynos", reply=[dyno()])
    result = heroku("ps", "wrker", "-a", "demo")
    assert result.exit_code == 1 and "Did you mean: worker?" in result.stderr


@pytest.mark.parametrize(
    ("words", "path", "said"),
    [
        ((), "/dynos", "Restarting all dynos on demo"),
        (("worker.1",), "/dynos/worker.1", "Restarting dyno worker.1 on demo"),
        (("worker",), "/formations/worker", "Restarting all worker dynos on demo"),
        (("-d", "worker.1"), "/dynos/worker.1", "Restarting dyno worker.1 on demo"),
        (("-p", "worker"), "/formations/worker", "Restarting all worker dynos on demo"),
    ],
)
def test_restart_of_all_of_one_and_of_a_type(heroku, platform, words, path, said):
    platform.on("DELETE", f"/apps/demo{path}", status=202, reply={})
    assert heroku("ps:restart", *words, "-a", "demo").stderr == f"{said}... done\n"


def test_stop_needs_to_know_what(heroku, platform):
    platform.on("POST", "/apps/demo/dynos/run.1/actions/stop", status=202, reply={})
    assert heroku("ps:stop", "run.1", "-a", "demo").exit_code == 0
    assert heroku("ps:stop", "-a", "demo").exit_code == 2
    assert "two targets" in heroku("ps:stop", "run.1", "-p", "web", "-a", "demo").stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "~ 0s ago"), (0, "~ 0s ago"), (59, "~ 59s ago"), (60, "~ 1m ago"), (7200, "~ 2h ago"), (200_000, "~ 2d ago")],
)
def test_how_long_ago(seconds, text):
    then = datetime(2026, 1, 1, tzinfo=UTC)
    assert ago(then, then + timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("price", "hourly", "monthly"),
    [
        ({"cents": 0, "unit": "month"}, "free", "free"),
        ({"cents": 500, "unit": "month"}, "~$0.007/hour (max $5/month)", "$5/month"),
        ({"cents": 1250, "unit": "month"}, "~$0.017/hour (max $12.50/month)", "$12.50/month"),
        ({"cents": 0, "contract": True, "unit": "month"}, "contract", "contract"),
        ({"cents": 0, "metered": True, "unit": "month"}, "metered", "metered"),
        (None, "", ""),
    ],
)
def test_prices(price, hourly, monthly):
    assert (price_text(price), monthly_text(price)) == (hourly, monthly)


@pytest.mark.parametrize(("size", "text"), [(None, ""), (0, "0 B"), (1023, "1023 B"), (2048, "2 KB")])
def test_sizes(size, text):
    assert size_text(size) == text


def test_a_size_that_is_none_may_have_been_meant_as_a_quantity(heroku, platform):
    platform.on("PATCH", "/apps/demo/formation", status=422, reply=problem("invalid_params", "No such size as x."))
    platform.on("GET", "/apps/demo/formation", reply=[formation("worker")])
    assert "How many: heroku ps:scale worker=2 " in heroku("ps:scale", "worker=x", "-a", "demo").stderr


def test_ps_scale_with_a_space_is_told_apart_from_a_type_of_dyno(heroku, platform):
    platform.on("GET", "/apps/demo/dynos", reply=[dyno("worker.1")])
    result = heroku("ps", "scale", "worker=2", "-a", "demo")
    assert "Or the command: heroku ps:scale worker=2\n" in result.stderr
