import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import psutil
import pytest

from hkcli.backend.engines.environment import RUBY_PRELUDE, ruby_prelude
from hkcli.backend.engines.local import LocalEngine, Terminal
from hkcli.backend.engines.members import ENGINE_MARK, members
from hkcli.backend.engines.process import Process
from hkcli.backend.engines.unpack import SlugError, unpack
from tests.backend.runtime import is_running, make_slug, make_spec, run, until


@pytest.fixture
def slug(tmp_path: Path) -> Path:
    return make_slug(tmp_path / "slug.tgz")


@pytest.fixture
def engine(tmp_path: Path) -> LocalEngine:
    return LocalEngine(tmp_path / "dynos", f"test-{tmp_path}")


async def output_of(process: Process) -> bytes:
    """All a process prints; it is closed after that."""
    output = b""
    while data := await process.read():
        output += data
    await process.wait()
    await process.close()
    return output


def printed(engine: LocalEngine, slug: Path, command: str, **env: str) -> str:
    async def body() -> bytes:
        return await output_of(await engine.start(make_spec(slug, command, **env), "dyno"))

    return run(body()).decode()


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("true", 0),
        ("exit 3", 3),
        ("kill -KILL $$", 137),
        ("no-such-command", 127),
        ("echo $(", 2),
        ("sh -c 'kill $$'", 143),
    ],
)
def test_the_exit_status_is_the_one_a_shell_shows(engine: LocalEngine, slug: Path, command: str, status: int) -> None:
    async def body() -> int:
        process = await engine.start(make_spec(slug, command), "dyno")
        await output_of(process)
        return await process.wait()

    assert run(body()) == status


def test_the_environment_is_built_from_nothing(
    engine: LocalEngine, slug: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEROKU_API_KEY", "secret of the user")
    text = printed(engine, slug, "env -0", A="a\nb=c", DYNO="lies", PYTHONUNBUFFERED="")
    env = dict(pair.split("=", 1) for pair in text.split("\0")[:-1])
    assert set(env) == {
        *("PATH", "LANG", "TZ", "SHELL", "TMPDIR", "PYTHONUNBUFFERED", "RUBYOPT"),
        *("DYNO", "PORT", "HOME", "HOSTNAME", "HKCLI_ENGINE", "HKCLI_DYNO"),
        *("A", "PWD", "SHLVL", "_"),
    }
    assert env["A"] == "a\nb=c" and env["DYNO"] == "worker.1" and env["PYTHONUNBUFFERED"] == ""
    assert env["HOME"] == env["PWD"] and env["HOSTNAME"].startswith("railgun.") and env["PORT"].isdigit()


def test_profile_scripts_run_first_and_may_use_the_stack(tmp_path: Path) -> None:
    stack = tmp_path / "a stack"
    engine = LocalEngine(tmp_path / "dynos", f"test-{tmp_path}", stack_bin=stack)
    scripts = {
        ".profile.d/a.sh": 'export PATH="$HKCLI_STACK_BIN:$PATH"\n',
        ".profile.d/b.sh": "greeting=hello\nexport A=from-script\n",
        ".profile.d/ignored.txt": "exit 9\n",
    }
    slug = make_slug(tmp_path / "app.tgz", scripts)
    assert printed(engine, slug, 'echo "$greeting $A ${PATH%%:*}"', A="var") == f"hello from-script {stack}\n"


def test_the_process_of_a_plain_command_is_the_command_itself(engine: LocalEngine, slug: Path) -> None:
    async def body() -> None:
        process = await engine.start(make_spec(slug, "python3 -c 'import os; print(os.getpid())'"), "dyno")
        assert int(await output_of(process)) == process.pid

    if sys.platform == "darwin":
        pytest.skip("bash 3.2 forks for the last command of a script")
    run(body())


def test_nothing_of_the_backend_is_open_in_a_dyno(engine: LocalEngine, slug: Path, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        program = "import os; print([fd for fd in range(3, 256) if os.path.exists(f'/dev/fd/{fd}')])"
        assert printed(engine, slug, f'exec {sys.executable} -c "{program}"') == "[]\n"


def test_two_dynos_have_copies_and_ports_of_their_own_and_leave_nothing(engine: LocalEngine, tmp_path: Path) -> None:
    slug = make_slug(
        tmp_path / "app.tgz",
        {"bin/go": "#!/bin/sh\necho changed > file; cat other 2>/dev/null; echo $PORT $HOME $TMPDIR"},
    )

    async def body() -> None:
        processes = [
            await engine.start(make_spec(slug, "bin/go; read x; ls"), f"dyno-{n}", attached=True) for n in "ab"
        ]
        assert sorted(path.name for path in (tmp_path / "dynos").iterdir()) == ["dyno-a", "dyno-b"]
        for process in processes:
            process.end_input()
        a, b = [(await output_of(process)).decode().split() for process in processes]
        assert a[3:] == ["bin", "file"] and not set(a[:3]) & set(b[:3])

    run(body())
    assert list((tmp_path / "dynos").iterdir()) == []


def test_a_grandchild_in_a_session_of_its_own_ends_with_its_dyno(engine: LocalEngine, slug: Path) -> None:
    escape = "import os,sys,time; os.setsid(); print(os.getpid(), flush=True); sys.stdout.close(); time.sleep(60)"

    async def body() -> None:
        command = f"{sys.executable} -c '{escape}' & sleep 60; true"
        process = await engine.start(make_spec(slug, command), "dyno")
        pid = int(await process.read() or 0)
        assert os.getsid(pid) != process.pid
        assert await process.stop(grace_s=10)
        assert await process.wait() == 143
        assert not is_running(pid)
        await process.close()

    run(body())


def test_a_child_that_ignores_sigterm_outlives_the_grace_but_not_the_kill(engine: LocalEngine, slug: Path) -> None:
    async def body() -> None:
        command = "(trap '' TERM; echo $BASHPID; while :; do sleep 0.05; done) & sleep 60; true"
        process = await engine.start(make_spec(slug, command), "dyno")
        pid = int(await process.read() or 0)
        assert not await process.stop(grace_s=0.2)
        assert is_running(pid)
        await process.close()
        assert not is_running(pid)
        assert await process.wait() == 143

    run(body())


def test_output_after_the_main_process_is_read_to_its_end(engine: LocalEngine, slug: Path) -> None:
    assert printed(engine, slug, "(sleep 0.1; echo late) & echo early") == "early\nlate\n"


def test_a_process_is_held_back_while_nobody_reads(engine: LocalEngine, slug: Path, tmp_path: Path) -> None:
    async def body() -> None:
        process = await engine.start(make_spec(slug, "yes | tee /dev/stderr > /dev/null"), "dyno")
        dyno = psutil.Process(process.pid)
        writer = await until(lambda: next((each for each in dyno.children(True) if each.name() == "tee"), None))
        await until(lambda: writer.status() in (psutil.STATUS_SLEEPING, "disk-sleep"))
        assert len(await process.read() or b"") > 0
        await process.close()

    run(body())


def test_a_terminal_is_the_controlling_one(engine: LocalEngine, slug: Path) -> None:
    async def body() -> bytes:
        process = await engine.start(
            make_spec(slug, "echo hi >/dev/tty; stty size; echo $# $TERM"), "dyno", terminal=Terminal(90, 20, "dumb")
        )
        return await output_of(process)

    assert run(body()) == b"hi\r\n20 90\r\n0 dumb\r\n"


BACKEND = """
import asyncio, sys
from pathlib import Path
from hkcli.backend.engines.local import LocalEngine
from tests.backend.runtime import make_spec

async def main():
    engine = LocalEngine(Path(sys.argv[1]), sys.argv[2])
    for index in range(3):
        await engine.start(make_spec(Path(sys.argv[3]), sys.argv[4]), f"dyno-{index}")
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def killed_backend(folder: Path, engine_id: str, slug: Path, command: str) -> None:
    """A backend that has started three dynos and was killed at once."""
    arguments = [sys.executable, "-c", BACKEND, str(folder), engine_id, str(slug), command]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as backend:
        assert backend.stdout and backend.stdout.readline() == b"started\n"
        backend.kill()


def test_a_fresh_engine_ends_what_a_killed_backend_left(tmp_path: Path, slug: Path) -> None:
    mine, other = f"mine-{tmp_path}", f"other-{tmp_path}"
    deaf = "trap '' TERM; setsid sleep 61 & sleep 60; sleep 62"
    killed_backend(tmp_path / "mine", mine, slug, deaf)
    killed_backend(tmp_path / "other", other, slug, "sleep 63")
    try:
        before, others = members({ENGINE_MARK: mine}), members({ENGINE_MARK: other})
        assert len(before) >= 3 and len(others) == 3
        assert run(LocalEngine(tmp_path / "mine", mine).reap_strays(grace_s=0.3)) >= len(before)
        assert members({ENGINE_MARK: mine}) == [] and list((tmp_path / "mine").iterdir()) == []
        assert len(members({ENGINE_MARK: other})) == 3 and len(list((tmp_path / "other").iterdir())) == 3
    finally:
        run(LocalEngine(tmp_path / "other", other).reap_strays())


def test_an_engine_id_that_begins_like_another_is_another(tmp_path: Path, slug: Path) -> None:
    async def body() -> None:
        engine = LocalEngine(tmp_path / "dynos", f"{tmp_path}-1")
        process = await engine.start(make_spec(slug, "sleep 60"), "dyno")
        assert await LocalEngine(tmp_path / "other", f"{tmp_path}-").reap_strays() == 0
        assert await LocalEngine(tmp_path / "other", str(tmp_path)).reap_strays() == 0
        assert not process.has_exited
        await process.close()

    run(body())


RUBY = "ruby" if subprocess.run(["which", "ruby"], capture_output=True).returncode == 0 else None


@pytest.mark.skipif(not RUBY, reason="needs ruby")
def test_ruby_prints_at_once_and_knows_its_railgun(engine: LocalEngine, slug: Path) -> None:
    async def body() -> None:
        program = 'puts "before"; require "socket"; puts Socket.gethostname, ENV["HOSTNAME"]; $stdin.read; p $0'
        process = await engine.start(make_spec(slug, f"ruby -w -e '{program}'"), "dyno", attached=True)
        lines: list[bytes] = []
        while len(lines) < 3:
            lines += (await process.read() or b"").split()
        assert lines[0] == b"before" and lines[1] == lines[2] and lines[1].startswith(b"railgun.")
        process.end_input()
        assert await output_of(process) == b'"-e"\n'

    run(body())


@pytest.mark.skipif(not RUBY, reason="needs ruby")
def test_the_config_vars_own_rubyopt_is_kept_and_a_path_with_spaces_works(tmp_path: Path) -> None:
    spaced = tmp_path / "a folder"
    spaced.mkdir()
    prelude = spaced / RUBY_PRELUDE.name
    prelude.write_text(RUBY_PRELUDE.read_text())
    for place in (RUBY_PRELUDE, prelude):
        env = {"PATH": os.environ["PATH"], "HOSTNAME": "railgun.1", **ruby_prelude({"RUBYOPT": "-rset"}, place)}
        program = "require 'socket'; print Socket.gethostname, $LOADED_FEATURES.any? { |f| f =~ /set/ }"
        result = subprocess.run(["ruby", "-e", program], env=env, capture_output=True, text=True)
        assert (result.stdout, result.stderr) == ("railgun.1true", "")


def test_a_process_that_cannot_be_watched_is_not_left_running(
    engine: LocalEngine, slug: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int) -> int:
        raise MemoryError

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    descriptors = psutil.Process().num_fds()
    with pytest.raises(MemoryError):
        run(engine.start(make_spec(slug, "sleep 60"), "dyno", attached=True))
    assert members({ENGINE_MARK: f"test-{tmp_path}"}) == [] and list((tmp_path / "dynos").iterdir()) == []
    assert psutil.Process().num_fds() == descriptors


def test_without_pidfd_the_end_of_a_process_is_seen_as_well(
    engine: LocalEngine, slug: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)

    async def body() -> int:
        process = await engine.start(make_spec(slug, "exit 7"), "dyno")
        await output_of(process)
        return await process.wait()

    assert run(body()) == 7


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize(
    "members_",
    [
        [member("../escape")],
        [member("/etc/escape")],
        [member("a/../../escape")],
        [member("link", tarfile.SYMTYPE, ".."), member("link/escape")],
        [member("link", tarfile.SYMTYPE, "/tmp"), member("link", tarfile.DIRTYPE)],
        [member("hard", tarfile.LNKTYPE, "../slug.tgz")],
        [member("pipe", tarfile.FIFOTYPE)],
    ],
    ids=["up", "absolute", "up inside", "through a link", "link as folder", "hard link out", "pipe"],
)
def test_a_slug_cannot_reach_outside_its_copy(tmp_path: Path, members_: list[tarfile.TarInfo]) -> None:
    slug = archive(tmp_path / "slug.tgz", *members_)
    with pytest.raises(SlugError):
        unpack(slug, tmp_path / "copy")
    assert not (tmp_path / "escape").exists()


def test_a_slug_keeps_links_modes_and_odd_names(tmp_path: Path) -> None:
    script = member("bin/go")
    script.mode = 0o755
    slug = archive(
        tmp_path / "slug.tgz",
        script,
        member("./ünï code/a b"),
        member("absolute", tarfile.SYMTYPE, "/usr/bin/env"),
        member("dangling", tarfile.SYMTYPE, "nowhere"),
        member("hard", tarfile.LNKTYPE, "bin/go"),
    )
    copy = tmp_path / "copy"
    unpack(slug, copy)
    assert (copy / "absolute").readlink() == Path("/usr/bin/env") and (copy / "dangling").is_symlink()
    assert os.access(copy / "bin/go", os.X_OK) and not os.access(copy / "ünï code/a b", os.X_OK)
    assert (copy / "hard").samefile(copy / "bin/go")


def test_a_failed_unpacking_leaves_nothing(engine: LocalEngine, tmp_path: Path) -> None:
    slug = archive(tmp_path / "slug.tgz", member("good"), member("../bad"))
    with pytest.raises(SlugError, match=r"\.\./bad lies outside the app"):
        run(engine.start(make_spec(slug, "true"), "dyno"))
    assert list((tmp_path / "dynos").iterdir()) == []
