"""Where `heroku` begins: what can be said without a command's module is said at once."""

import sys


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in (["version"], ["--version"], ["-v"]):
        from hkcli.cli.delivery import show
        from hkcli.cli.version import version_text

        show(version_text())
        return
    if arguments in ([], ["help"], ["--help"], ["-h"]):
        from hkcli.cli.delivery import show
        from hkcli.cli.topics import overview

        show("\n".join(overview()))
        return
    from hkcli.cli.dispatch import run_program

    sys.exit(run_program(arguments))
