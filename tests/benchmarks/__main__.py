"""make bench: each measurement beside a peer or a floor in the same run; figures, never verdicts."""

import sys
from importlib import import_module

MEASUREMENTS = ("api", "client", "official", "push", "flood", "logs", "dj", "screen", "router")


def main() -> None:
    wanted = sys.argv[1:] or MEASUREMENTS
    for name in wanted:
        print(f"\n## {name}\n", flush=True)
        result = import_module(f"tests.benchmarks.{name}").measure()
        for line in result:
            print(line, flush=True)


if __name__ == "__main__":
    main()
