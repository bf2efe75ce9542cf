"""The documentation says what the program does: README is followed to the letter, and every command, option, key,
column and table stands where users look it up."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints
from xml.etree import ElementTree

import polars as pl
import pytest
import typer.main
import yaml
from pydantic import BaseModel

import ctcae_v403
from ctcae_v403.frame import OUTPUT
from safety_monitor import config as configuration
from safety_monitor.alerts.routing import default_routes
from safety_monitor.cli import app
from safety_monitor.rules.stopping import EVENTS, METHODS, NUMERATORS
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import AlertKind, Role
from safety_monitor.workflow.importing import REJECTS_COLUMNS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README, INTERFACE, CONFIGURATION = (
    (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/interface.md", "docs/configuration.md")
)
COMMON = {"--config", "--json", "--help"}
IN_BACKGROUND = """\
{command} &
trap "kill -TERM $!" EXIT
running=$!
for _ in $(seq 300); do ls mailbox/*.eml >/dev/null 2>&1 && break; sleep 0.1; done"""
STOP = """\
trap - EXIT
kill -TERM $running
wait $running"""


def table_rows(text: str, first_header: str) -> list[list[str]]:
    """The cells of every table of *text* whose first column is called *first_header*."""
    rows, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|-"):
            rows.append([cell.strip(" |") for cell in cells])
        elif cells[0] == first_header:
            inside = True
    return rows


def words(cell: str) -> list[str]:
    """What a cell has in code style, split at blanks."""
    return " ".join(re.findall(r"`([^`]*)`", cell)).split()


# --- README, followed to the letter


def walkthrough() -> str:
    """The tested shell blocks of README as one script. What runs in the background is waited for until its first mail,
    and stopped at the end."""
    blocks = re.findall(r"<!-- tested(, in the background)? -->\n```sh\n(.*?)```", README, flags=re.S)
    parts = [IN_BACKGROUND.format(command=block.strip()) if background else block for background, block in blocks]
    return "\n".join([*parts, STOP])


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a reader has who typed README's commands."""
    folder = tmp_path_factory.mktemp("readme")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAFETY_MONITOR_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    script = ["bash", "-euc", walkthrough()]
    done = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return folder / "my-trial"


def test_readme_ends_in_a_report_tables_and_mails(followed: Path) -> None:
    assert (followed / "dsmb-report.pdf").read_bytes().startswith(b"%PDF-")
    assert list((followed / "mailbox").glob("*.eml"))
    assert {path.name for path in followed.glob("*.csv")} == {"rejects.csv", "graded.csv", "coded.csv"}


def test_the_refusal_that_readme_shows_is_a_real_one(followed: Path) -> None:
    with (followed / "rejects.csv").open(encoding="utf-8", newline="") as file:
        refused = list(csv.reader(file))
    shown = table_rows(README, "file")
    assert refused[0] == list(REJECTS_COLUMNS)
    assert shown
    assert all(row in refused for row in shown)


def test_every_table_is_documented_with_its_columns(followed: Path) -> None:
    components = [c["name"] for c in yaml.safe_load((followed / "data" / "study.yaml").read_text("utf-8"))["components"]]
    documented: dict[str, list[str]] = {}
    for names, columns in table_rows(INTERFACE, "file"):
        for name in words(names.replace(",", " ")):
            parts = components if "_C_" in name else [""]
            documented |= {name.replace("_C_", f"_{part}_"): words(columns) for part in parts}
    written = {
        path.name: path.read_text("utf-8").partition("\n")[0].split(",") for path in (followed / "tables").glob("*.csv")
    }
    assert documented == written


def test_every_table_has_its_counting_rule_told(followed: Path) -> None:
    told = {words(row[0])[0] for row in table_rows((ROOT / "docs" / "counting.md").read_text("utf-8"), "table")}
    ours = re.compile("related_(ablation|lenvatinib|pd1)_")
    assert told == {ours.sub("related_C_", path.stem) for path in (followed / "tables").glob("*.csv")}


def test_grade_labs_columns_and_reasons_are_documented(followed: Path) -> None:
    header = (followed / "graded.csv").read_text("utf-8").partition("\n")[0].split(",")
    assert set(words(INTERFACE)) >= {"ROW", *OUTPUT, *ctcae_v403.REASONS, *REJECTS_COLUMNS}
    assert header[0] == "ROW"
    assert tuple(header[-len(OUTPUT) :]) == OUTPUT


# --- commands and options


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Each command with its options."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), {o for p in command.params for o in p.opts if o.startswith("--")} - COMMON


def test_every_command_and_option_is_documented_and_no_other() -> None:
    sections = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##)", INTERFACE, flags=re.S | re.M))
    documented = {
        tuple(heading.split(", ")): set(re.findall(r"--[a-z][a-z-]*", text)) - COMMON for heading, text in sections.items()
    }
    known = dict(commands(typer.main.get_command(app)))
    assert sorted(name for names in documented for name in names) == sorted(known)
    assert documented == {names: set().union(*(known[name] for name in names)) for names in documented}


def test_the_python_examples_run() -> None:
    example = re.findall(r"```python\n(.*?)```", INTERFACE, flags=re.S)[0]
    frame = pl.DataFrame({"LBTESTCD": ["ALT"], "LBSTRESN": [250.0], "LBSTRESU": ["U/L"], "LBSTNRHI": [40.0]})
    for line in example.splitlines()[2:]:
        assert eval(line.partition("#")[0], {"ctcae": ctcae_v403, "frame": frame}) is not None


# --- configuration


def keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each key of *model* with its default (None: needed, or none); lists of settings have a key of their own."""
    for name, field in model.model_fields.items():
        if name in ("base", "default_study"):
            continue
        inner = next((m for m in (field.annotation, *get_args(field.annotation)) if _is_model(m)), None)
        if inner is None or inner is not field.annotation:
            yield ".".join((*path, name)), None if field.is_required() else field.get_default(call_default_factory=True)
        if inner is not None:
            yield from keys(inner, (*path, name))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


DOCUMENTED = {words(row[0])[0]: row for row in table_rows(CONFIGURATION, "key")}
KEYS = {**dict(keys(configuration.Config)), **dict(keys(StudySettings))}


def test_every_key_is_documented_and_no_other() -> None:
    assert sorted(DOCUMENTED) == sorted(KEYS)


@pytest.mark.parametrize(
    ("key", "default"), [(k, v) for k, v in KEYS.items() if v not in (None, "") and not isinstance(v, tuple | dict)]
)
def test_the_default_is_the_documented_one(key: str, default: Any) -> None:
    if key == "disease":
        return
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    assert f"`{shown}`" in DOCUMENTED[key][2] or (key == "encoding" and default is None)


def test_the_words_that_keys_can_have_are_documented() -> None:
    assert set(words(DOCUMENTED["people.role"][1])) == set(Role)
    assert set(words(DOCUMENTED["stopping.event"][1])) == set(EVENTS)
    assert set(words(DOCUMENTED["stopping.method"][1])) == set(METHODS)
    assert set(words(DOCUMENTED["stopping.numerator"][1])) == set(NUMERATORS)


def test_the_laboratory_switches_are_those_of_the_policy() -> None:
    presets = {name: ctcae_v403.Policy.of(name).switches() for name in ("standard", "literal")}
    shown = {words(row[0])[0]: row for row in table_rows(CONFIGURATION, "switch")}
    assert sorted(shown) == sorted(presets["standard"].keys() - {"preset"})
    for name, kind in get_type_hints(ctcae_v403.Policy).items():
        if name != "preset":
            row = shown[name]
            assert [words(row[1]), words(row[2])] == [[presets["standard"][name]], [presets["literal"][name]]]
            assert set(words(" ".join(row))) >= set(get_args(kind))


@pytest.mark.parametrize("kind", AlertKind)
def test_the_default_routes_are_documented(kind: AlertKind) -> None:
    told = next(row[2] for row in table_rows(CONFIGURATION, "kind") if words(row[0]) == [kind.value])
    roles = {role for route in default_routes() if kind in route.kinds for role in route.roles}
    # told to the next contacts, to the recipients of a job, or of what a digest tells: not by routes
    elsewhere = {AlertKind.ALERT_UNDELIVERED, AlertKind.ALERT_UNACKNOWLEDGED, AlertKind.REPORT, AlertKind.DIGEST}
    if kind not in elsewhere:
        assert set(told.split(", ")) == {role.replace("_", " ") for role in roles}
    assert all(role.replace("_", " ") in told for role in roles)


VARIABLES = sorted({name for page in PAGES for name in re.findall(r"SAFETY_MONITOR_[A-Z_]*[A-Z]", page.read_text("utf-8"))})


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_named_overrides_something(variable: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.touch()
    assert configuration.load(path, {variable: "sqlite:///other.db"}) != configuration.load(path, {})


def test_the_configuration_that_ships_loads() -> None:
    config = configuration.load(ROOT / "config.yaml", {})
    assert config.default_study is not None
    assert config.people
    assert config.jobs


def test_the_configuration_of_the_service_loads(tmp_path: Path) -> None:
    settings, compose = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "service.md").read_text("utf-8"), flags=re.S)
    path = tmp_path / "config.yaml"
    path.write_text(settings, "utf-8")
    assert configuration.load(path, {}).database_url == "sqlite:////var/lib/safety-monitor/safety_monitor.db"
    assert set(yaml.safe_load(compose)["services"]) == {"db", "monitor"}


# --- what the pages point to


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_images_and_make_targets_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [*re.findall(r"\]\(([^)#\s]+)", text), *re.findall(r'src="([^"]+)"', text)]
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []
    targets = re.findall(r"^\S*?([a-z-]+):.*?## ", (ROOT / "Makefile").read_text("utf-8"), flags=re.M)
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, flags=re.M)) <= set(targets)


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_places_to_change_things_exist(page: str) -> None:
    paths = re.findall(r"`((?:safety_monitor|ctcae_v403|templates|docs|migrations)/[^`<*]*)`", (ROOT / page).read_text("utf-8"))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_pictures_are_light_and_described() -> None:
    page, flow = ROOT / "docs" / "img" / "report-page.png", ROOT / "docs" / "img" / "flow.svg"
    assert page.stat().st_size < 250_000
    told = {element.tag.rpartition("}")[2] for element in ElementTree.parse(flow).getroot()}
    assert {"title", "desc"} <= told
    assert "prefers-color-scheme: dark" in flow.read_text("utf-8")
    assert all(re.findall(r"!\[([^\]]*)\]|<img [^>]*alt=\"([^\"]+)\"", README))


def test_readme_names_the_command_that_continuous_integration_runs() -> None:
    assert "CI=true exec make test" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert "`CI=true make test`" in README
