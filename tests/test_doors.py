"""The doors between the houses (see README, "How it is built"): which package may import which."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

DOORS = {
    "hkcli.cli": {"hkcli.cli", "hkcli.api", "hkcli.quickstart"},
    "hkcli.api": {"hkcli.api"},
    "hkcli.backend": {"hkcli.backend"},
    "hkcli.dj": {"hkcli.dj"},
    "hkcli.quickstart": {"hkcli.quickstart"},
}
SIDE_DOORS = {
    *((f"hkcli/cli/commands/{room}.py", "hkcli.dj.status") for room in ("dj", "dj_jobs")),
    *((f"hkcli/cli/{room}.py", "hkcli.dj.status") for room in ("dj_screen", "dj_source")),
    ("hkcli/backend/addons/dj.py", "hkcli.dj.status"),
    *((f"hkcli/backend/dashboard/{room}.py", "hkcli.dj.status") for room in ("book", "charts", "jobs", "pages")),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; imports here are absolute"
            yield node.module or ""


@pytest.mark.parametrize("house", DOORS)
def test_a_house_imports_only_what_its_doors_allow(house: str) -> None:
    files = [path for path in (ROOT / house.replace(".", "/")).rglob("*.py") if "quickstart/app" not in str(path)]
    assert files
    for path in files:
        relative = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            if not name.startswith("hkcli.") or (relative, name) in SIDE_DOORS:
                continue
            assert any(name == door or name.startswith(door + ".") for door in DOORS[house]), f"{relative}: {name}"


@pytest.mark.parametrize("house", ["hkcli.cli", "hkcli.api", "hkcli.backend"])
def test_no_module_of_a_house_imports_itself_in_a_circle(house: str) -> None:
    files = (ROOT / house.replace(".", "/")).rglob("*.py")
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): set(imports(path)) for path in files}
    assert len(list(TopologicalSorter(modules).static_order())) >= len(modules)


def test_a_backend_starts_without_what_only_some_addons_need() -> None:
    program = "import sys, hkcli.backend.server; print(*{'httpx', 'psycopg', 'rich'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
