"""The command line of `rake`, for an app without Ruby: `python -m hkcli.dj.rake TASK[args] ... VAR=value ...`"""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hkcli.dj.tasks import TASKS, Abort, Invocation, Task

VERSION_LINE = "rake, version 13.0.6 (embedded, without Ruby)"
HELP = """\
rake {options} tasks...

Options are ...
    -T, --tasks [PATTERN]            Display the tasks (matching optional PATTERN) with descriptions, then exit.
    -A, --all                        Show all tasks, even uncommented ones (in combination with -T).
    -D, --describe [PATTERN]         Describe the tasks (matching optional PATTERN), then exit.
    -P, --prereqs                    Display the tasks and dependencies, then exit.
    -n, --dry-run                    Do a dry run without executing actions.
    -q, --quiet, -s, --silent        Accepted; the tasks here say no more than they must.
    -t, --trace                      Show the full backtrace of an error.
    -V, --version                    Display the program version.
    -h, -H, --help                   Display this help message.

VAR=value sets an environment variable for the tasks. Run `rake -T` for the tasks.
"""
FLAGS = {
    "-T": "tasks",
    "--tasks": "tasks",
    "-D": "describe",
    "--describe": "describe",
    "-P": "prereqs",
    "--prereqs": "prereqs",
    "-A": "all",
    "--all": "all",
    "-AT": "all tasks",
    "-TA": "all tasks",
    "-n": "dry_run",
    "--dry-run": "dry_run",
    "-t": "trace",
    "--trace": "trace",
    "-q": "quiet",
    "--quiet": "quiet",
    "-s": "quiet",
    "--silent": "quiet",
    "-V": "version",
    "--version": "version",
    "-h": "help",
    "-H": "help",
    "--help": "help",
}
TASK_WORD = re.compile(r"(?P<name>[^\[]+)(?:\[(?P<arguments>.*)\])?\Z", re.DOTALL)


class UsageError(Exception):
    """A word that is no option of rake."""


@dataclass(frozen=True)
class CommandLine:
    """What was asked for: tasks with their arguments, variables, and flags by the names in FLAGS."""

    tasks: list[tuple[str, list[str]]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)


def parse(words: Sequence[str]) -> CommandLine:
    """Raises UsageError."""
    line = CommandLine()
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("-"):
            if name not in FLAGS or (equals and not name.startswith("--")):
                raise UsageError(f"invalid option: {word}")
            line.flags.update(FLAGS[name].split())
        elif equals and re.fullmatch(r"\w+", name):
            line.variables[name] = value
        else:
            line.tasks.append(_task_word(word))
    return line


def _task_word(word: str) -> tuple[str, list[str]]:
    match = TASK_WORD.match(word)
    if match is None or match["arguments"] is None:
        return word, []
    return match["name"], [argument.strip() for argument in match["arguments"].split(",")]


def listed(pattern: str, everything: bool) -> list[str]:
    """The lines of `rake -T`."""
    shown = {
        _with_parameters(name, task): task.description or ""
        for name, task in TASKS.items()
        if pattern in name and (everything or task.description)
    }
    width = max(map(len, shown), default=0)
    return [f"rake {name:<{width}}  # {description}" for name, description in shown.items()]


def _with_parameters(name: str, task: Task) -> str:
    return name + (f"[{','.join(task.parameters)}]" if task.parameters else "")


def main(words: Sequence[str] | None = None) -> int:
    """Run the tasks in order, each once; the exit status."""
    try:
        line = parse(sys.argv[1:] if words is None else words)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 1
    if (said := _said(line)) is not None:
        print(said, end="")
        return 0
    unknown = next((name for name, _ in line.tasks or [("default", [])] if name not in TASKS), None)
    if unknown is not None:
        message = f"Don't know how to build task '{unknown}' (See the list of available tasks with `rake --tasks`)"
        message += _did_you_mean(unknown)
        print(f"rake aborted!\n{message}\n\n(See full trace by running task with --trace)", file=sys.stderr)
        return 1
    return _run_all(line)


def _did_you_mean(unknown: str) -> str:
    import difflib

    nearest = difflib.get_close_matches(unknown, TASKS, n=1, cutoff=0.8)
    return f"\nDid you mean?  {nearest[0]}" if nearest else ""


def _said(line: CommandLine) -> str | None:
    """What an option prints in place of running tasks; None when there is none."""
    pattern = line.tasks[0][0] if line.tasks else ""
    if "help" in line.flags:
        return HELP
    if "version" in line.flags:
        return f"{VERSION_LINE}\n"
    if "tasks" in line.flags:
        return "".join(f"{text}\n" for text in listed(pattern, "all" in line.flags))
    if "describe" in line.flags:
        return "".join(
            f"rake {_with_parameters(name, task)}\n    {task.description}.\n\n"
            for name, task in TASKS.items()
            if task.description and pattern in name
        )
    return "".join(f"rake {name}\n" for name in TASKS) if "prereqs" in line.flags else None


def _run_all(line: CommandLine) -> int:
    os.environ.update(line.variables)
    done = set()
    for name, arguments in line.tasks:
        if name in done:
            continue
        done.add(name)
        if "dry_run" in line.flags:
            print(f"** Invoke {name} (first_time)\n** Execute (dry run) {name}", file=sys.stderr)
            continue
        if status := _run(name, arguments, "trace" in line.flags):
            return status
    return 0


def _run(name: str, arguments: list[str], trace: bool) -> int:
    try:
        TASKS[name].run(Invocation(Path.cwd(), dict(os.environ), arguments))
        sys.stdout.flush()
    except Abort as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sys.stdout.flush()
        _show(error, name, trace)
        return 1
    return 0


def _show(error: Exception, name: str, trace: bool) -> None:
    """As rake shows what a task raised."""
    if trace:
        import traceback

        traceback.print_exception(error)
    ruby_name = getattr(error, "ruby_name", "") or _driver_class(error)
    message = _message(error)
    print("rake aborted!", file=sys.stderr)
    print(f"{ruby_name}: {message}" if ruby_name else message, file=sys.stderr)
    print(f"Tasks: TOP => {name}\n(See full trace by running task with --trace)", file=sys.stderr)


def _driver_class(error: Exception) -> str:
    """Rails' name for whatever a database driver raises; our own errors are sentences and need none."""
    if hasattr(error, "orig"):
        return "ActiveRecord::StatementInvalid"
    return "" if type(error).__module__.startswith("hkcli.") else type(error).__name__


def _message(error: Exception) -> str:
    driver = getattr(error, "orig", None)
    return " ".join(str(driver).split()) if driver is not None else str(error)


if __name__ == "__main__":
    sys.exit(main())
