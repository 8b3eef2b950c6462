"""What a person or a pipe gets to read: data on stdout, all other talk on stderr. The only module that knows rich.

    out.line(text), out.pairs({...}), out.table(columns, rows), out.json(document)    stdout
    out.talk(text), out.warn(text), out.progress("Doing it") as step                  stderr, for people
    out.err(text)                                                                     stderr, for whoever reads it

A table is drawn for a terminal; in a pipe it becomes tab-separated lines without a header. Colours: as NO_COLOR,
HEROKU_COLOR=0, FORCE_COLOR and TERM=dumb ask, else on terminals only.
"""

import json
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
WIDEST = 100_000
"""Columns of a table that may not wrap."""
MARK_COLUMNS = 5
"""Of the arrow before an error or a warning, and of what is set under it."""
Frame = Callable[[int, int], Iterable[Sequence[tuple[str, str]]]]
UNSEEN = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code not in (0x09, 0x0A)}
"""Control characters: text from elsewhere must not drive the terminal."""


class Step:
    """One line of progress; `done` gives its ending, which is written when the step ends well."""

    def __init__(self) -> None:
        self.ending = "done"
        self.show: Callable[[int, int], None] | None = None

    def reached(self, count: int, total: int) -> None:
        """So many of so many: on a terminal, a bar."""
        if self.show:
            self.show(count, total)

    def done(self, detail: str = "") -> None:
        self.ending = f"done, {detail}" if detail else "done"

    def ends(self, ending: str) -> None:
        """Another word than done, as in `Creating dj on example-app... free`."""
        self.ending = ending


class Output:
    def __init__(self, stdin: TextIO, stdout: TextIO, stderr: TextIO, env: Mapping[str, str]) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._env = env
        self.is_for_program = False
        """Set by --json: stderr, unless it is a terminal, is kept for the one JSON object of a failure."""
        self.warnings: list[str] = []
        """Those that a program has not been told yet."""
        self.has_told_interruption = False
        self._held: list[str] | None = None
        self._warned: set[str] = set()

    # --- what is at the other end

    @property
    def can_prompt(self) -> bool:
        return self.stdin.isatty() and self.stdout.isatty()

    @property
    def width(self) -> int:
        return shutil.get_terminal_size().columns

    def has_colour(self, stream: TextIO) -> bool:
        env = self._env
        if env.get("NO_COLOR") or env.get("HEROKU_COLOR") == "0":
            return False
        if env.get("FORCE_COLOR") and env["FORCE_COLOR"] != "0":
            return True
        return is_smart(stream, env)

    def styled(self, text: str, style: str, stream: TextIO | None = None) -> str:
        if not self.has_colour(stream or self.stdout):
            return text
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m"

    # --- data

    def line(self, text: str = "") -> None:
        self.stdout.write(f"{shown(text, self.stdout)}\n")

    def header(self, title: str) -> None:
        self.line(self.styled(f"=== {title}", "bold"))
        self.line()

    def pairs(self, values: Mapping[str, object]) -> None:
        width = max(map(len, values), default=0) + 1
        for key, value in values.items():
            label = self.styled(f"{key}:", "bold") + " " * (width - len(key) - 1)
            self.line(f"{label} {value}".rstrip())

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, wraps: bool = True) -> None:
        """On a terminal as wide as that, unless it may not wrap: a cell that is copied is then whole."""
        if self.stdout.isatty():
            self._draw(columns, rows, wraps)
            return
        for row in rows:
            self.line("\t".join(" ".join(cell.split("\t")).replace("\n", " ") for cell in row))

    def styled_lines(self, lines: Iterable[Sequence[tuple[str, str]]]) -> None:
        """Lines made of texts, each with its style or ""."""
        for line in lines:
            self.line("".join(self.styled(text, style) if style else text for text, style in line).rstrip())

    def json(self, document: Any) -> None:
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    # --- talk

    @property
    def is_quiet(self) -> bool:
        return self.is_for_program and not self.stderr.isatty()

    def talk(self, text: str = "") -> None:
        if not self.is_quiet:
            self.err(text)

    def err(self, text: str = "") -> None:
        if self._held is None:
            self.stderr.write(f"{shown(text, self.stderr)}\n")
            self.stderr.flush()
        else:
            self._held.append(text)

    def warn(self, text: str) -> None:
        """Each distinct warning once."""
        if text in self._warned:
            return
        self._warned.add(text)
        if self.is_quiet:
            self.warnings.append(text)
        else:
            self.err(self.marked("Warning", text, "yellow"))

    def release_warnings(self) -> None:
        """Say what was kept back, now that no failure will carry it."""
        for text in self.warnings:
            self.err(self.marked("Warning", text, "yellow"))
        self.warnings = []

    def marked(self, kind: str, text: str, style: str) -> str:
        mark = self.styled(f" {self.arrow}  ", style, self.stderr)
        lines = [line for each in (f"{kind}: {text}").split("\n") for line in self.folded(each, MARK_COLUMNS)]
        return "\n".join(f"{mark} {line}" for line in lines)

    def hint(self, text: str) -> None:
        """What belongs to a marked line above it."""
        for line in self.folded(text, MARK_COLUMNS):
            self.err(f"{'':{MARK_COLUMNS}}{line}")

    def folded(self, text: str, used: int) -> list[str]:
        """A line as it is; on a terminal as lines that break between words and fit beside `used` columns."""
        if not self.stderr.isatty() or len(text) + used <= self.width:
            return [text]
        room = max(self.width - used, 20)
        return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [text]

    @property
    def arrow(self) -> str:
        return "›" if (self.stderr.encoding or "").lower().replace("-", "") == "utf8" else ">"

    @contextmanager
    def progress(self, what: str) -> Iterator[Step]:
        """Say what is being done while it is, and how it ended: `what... done`, or failed when the body raises."""
        step, ending = Step(), "failed"
        if self.is_quiet:
            yield step
            return
        try:
            with self._spinning(what, step):
                yield step
            ending = step.ending
        except KeyboardInterrupt:
            ending = "interrupted"
            self.has_told_interruption = True
            raise
        finally:
            self.stderr.write(f"{ending}\n")
            self.stderr.flush()
            self._release_held()

    @contextmanager
    def _spinning(self, what: str, step: Step) -> Iterator[None]:
        self._held = []
        what = shown(what, self.stderr)
        if not is_smart(self.stderr, self._env):
            self.stderr.write(f"{what}... ")
            self.stderr.flush()
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        try:
            with Progress(*columns, console=self._console(self.stderr), transient=True) as progress:
                task = progress.add_task(f"{what}...", total=None)

                def show(count: int, total: int) -> None:
                    if len(progress.columns) == len(columns):
                        progress.columns = (*columns, BarColumn(20), MofNCompleteColumn())
                    progress.update(task, completed=count, total=total)

                step.show = show
                yield
        finally:
            self.stderr.write(f"{what}... ")

    def _release_held(self) -> None:
        held, self._held = self._held or [], None
        for text in held:
            self.err(text)

    # --- a screen

    @property
    def can_redraw(self) -> bool:
        return self.can_prompt and is_smart(self.stdout, self._env)

    @property
    def is_unicode(self) -> bool:
        return (self.stdout.encoding or "").lower().replace("-", "") == "utf8"

    @contextmanager
    def redrawn(self) -> Iterator[Callable[[Frame], None]]:
        """A screen of its own, gone at the end; give it a function from width and height to lines, now and again."""
        from rich.live import Live
        from rich.text import Text

        console = self._console(self.stdout)
        with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False) as live:

            def draw(frame: Frame) -> None:
                whole = Text(no_wrap=True, overflow="crop", end="")
                for place, line in enumerate(frame(console.width, console.height)):
                    whole.append("\n" if place else "")
                    for text, style in line:
                        whole.append(text.translate(UNSEEN), style or None)
                live.update(whole, refresh=True)

            yield draw

    # --- questions

    def ask(self, question: str, *, secret: bool = False) -> str:
        """An answer from the terminal; the question goes to stderr. Raises EOFError."""
        self.stdout.flush()
        if secret:
            from getpass import getpass

            try:
                return getpass(question, stream=self.stderr)
            except EOFError:
                self.stderr.write("\n")
                raise
        self.stderr.write(question)
        self.stderr.flush()
        answer = self.stdin.readline()
        if not answer:
            self.stderr.write("\n")
            raise EOFError
        return answer.rstrip("\r\n")

    # --- rich

    def _console(self, stream: TextIO) -> "Console":
        from rich.console import Console

        colours: Literal["auto"] | None = "auto" if self.has_colour(stream) else None
        return Console(file=stream, color_system=colours, highlight=False)

    def _draw(self, columns: Sequence[str], rows: Sequence[Sequence[str]], wraps: bool) -> None:
        from rich.box import Box
        from rich.table import Table
        from rich.text import Text

        rule = (
            Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
            if self.arrow == "›"
            else Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
        )
        table = Table(box=rule, show_edge=False, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell.translate(UNSEEN)) for cell in row))
        console = self._console(self.stdout)
        if not wraps:
            console.width = WIDEST
        console.print(table)


def is_smart(stream: TextIO, env: Mapping[str, str]) -> bool:
    return stream.isatty() and env.get("TERM") != "dumb"


def shown(text: str, stream: TextIO) -> str:
    """Text as the stream can take it: on a terminal without control characters but our own colours."""
    if not stream.isatty() or text.isprintable():
        return text
    return "\x1b[".join(part.translate(UNSEEN) for part in text.split("\x1b["))
