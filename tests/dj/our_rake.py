"""The embedded rake in the same way as real_rake.rb: requests and replies, a line each; every one in a child."""

import json
import os
import sys
import tempfile

import hkcli.dj.migrations.migrator
import hkcli.dj.worker  # noqa: F401
from hkcli.dj import rake


def run(words: list[str], environ: dict[str, str]) -> dict[str, object]:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        if not (child := os.fork()):
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.environ.update(environ)
            os.chdir(sys.argv[1])
            status = rake.main(words)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return {"status": os.waitstatus_to_exitcode(status), "out": out.read(), "err": err.read(), "pid": child}


for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(run(request["words"], request["environ"])), flush=True)
