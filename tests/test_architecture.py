"""The shape of the code: layers, no clock in the core, nothing evaluated, everything explained, everything locked."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for package in ("ctcae_v403", "safety_monitor") for path in (ROOT / package).rglob("*.py"))
MAY_READ_THE_CLOCK = {"cli", "jobs", "workflow"}
CLOCK = {"now", "utcnow", "today", "time", "time_ns", "monotonic"}


def calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(what the method is called on, name) of every call; the first is empty for a plain name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value).rpartition(".")[2], node.func.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield "", node.func.id


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path.relative_to(ROOT): ast.parse(path.read_text("utf-8")) for path in MODULES}


def test_imports_respect_the_layers() -> None:
    """In a process of its own: the linter reconfigures logging for all."""
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_time_is_told_to_the_core_not_asked_by_it(trees: dict[Path, ast.Module]) -> None:
    clocks = {"datetime", "date", "time", "dt", ""}
    asking = [
        f"{path}: {owner}.{name}()"
        for path, tree in trees.items()
        if path.parts[1].removesuffix(".py") not in MAY_READ_THE_CLOCK
        for owner, name in calls(tree)
        if name in CLOCK and owner in clocks and not (owner == "" and name == "time")
    ]
    assert asking == []


def test_nothing_is_evaluated(trees: dict[Path, ast.Module]) -> None:
    found = [(path, name) for path, tree in trees.items() for owner, name in calls(tree) if not owner]
    assert [f"{path}: {name}()" for path, name in found if name in {"eval", "exec", "compile"}] == []


def test_every_module_says_what_it_is_for(trees: dict[Path, ast.Module]) -> None:
    assert [str(path) for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


def test_the_lock_holds_every_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *project["build-system"]["requires"]]
    names = {normal(re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0]) for requirement in asked}
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text("utf-8").strip())
    locked = {normal(entry.partition("==")[0].partition("[")[0]) for entry in entries}
    assert names - locked == set()
    assert [entry.partition(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
