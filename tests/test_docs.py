"""What README, docs/ and meltano.yml say, held to the code."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
import pytest
import yaml

from hub.definition import DEFINITION, LOCK, as_json, as_yaml, definition
from target_driftrock.cli import COMMANDS, program
from target_driftrock.commands.preview import Preview
from target_driftrock.errors import ExitCode
from target_driftrock.settings import TABLE, editor_jsonschema, settings_table
from target_driftrock.target import TargetDriftrock

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
LOADERS: dict[str, dict[str, Any]] = {loader["name"]: loader for loader in PROJECT["plugins"]["loaders"]}
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


RECORDS = {"docs/recipes.md": "demo/messy.singer"}
"""What the examples of a page run over, where it is not the demo's file."""


class Example(NamedTuple):
    """Settings on a page, the records that they are for, and the events beneath them, if there are any."""

    settings: dict[str, Any]
    records: Path
    events: list[str] | None


class Shown(msgspec.Struct):
    """A line of a preview; the event as it would be sent."""

    event: msgspec.Raw


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _fences(page: Path) -> Iterator[tuple[str, str]]:
    """The language and the text of each fenced block."""
    for indent, language, text in FENCE.findall(page.read_text(encoding="utf-8")):
        yield language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)


def _examples() -> Iterator[Any]:
    for page in PAGES:
        fences = [*_fences(page), ("", "")]
        for number, ((language, text), (next_language, next_text)) in enumerate(pairwise(fences)):
            settings = yaml.safe_load(text) if language == "yaml" else {}
            if "streams" in settings:
                events = next_text.splitlines() if next_language == "json" else None
                records = ROOT / RECORDS.get(_name(page), "demo/leads.singer")
                yield pytest.param(Example(settings, records, events), id=f"{_name(page)}-{number}")


def _commands() -> Iterator[Any]:
    """Each command that a page shows at a prompt, once; those of a pipe apart."""
    for page in PAGES:
        text = "\n".join(text for language, text in _fences(page) if language == "console")
        typed = (line[2:] for line in text.splitlines() if line.startswith("$ "))
        for command in dict.fromkeys(part.strip() for line in typed for part in line.split(" | ")):
            yield pytest.param(command, id=f"{_name(page)}-{command}")


# Examples.


@pytest.mark.parametrize("example", list(_examples()))
def test_an_example_makes_what_stands_beneath_it_when_its_records_are_read(example: Example) -> None:
    """Each configuration is right for the streams of the page, and gives the events that it shows."""
    given = {"environment": "sandbox", "ledger": "unused", **example.settings}
    given["streams"] = [*given["streams"], {"stream": "*", "skip": True}]
    lines: list[bytes] = []

    preview = Preview(TargetDriftrock(config=given), write=lines.append)
    preview.read(io.BytesIO(example.records.read_bytes()))

    shown = [bytes(msgspec.json.decode(line, type=Shown).event).decode() for line in lines]
    assert preview.exit_code == ExitCode.RESOLVED
    assert shown
    if example.events is not None:
        assert shown[: len(example.events)] == example.events


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_block_can_be_read_when_it_says_its_language(page: Path) -> None:
    """What is called YAML is YAML, and stream maps in quotes are JSON."""
    for language, text in _fences(page):
        settings = yaml.safe_load(text) if language == "yaml" else {}
        if isinstance(maps := settings.get("stream_maps"), str):
            assert isinstance(json.loads(maps), dict)


# README.


def test_the_settings_are_the_code_s_when_the_readme_lists_them() -> None:
    """README's table is `settings_table()`: print it, and put it between the two comments."""
    text = README.read_text(encoding="utf-8")

    listed = text.partition("<!-- settings: begin -->\n")[2].partition("<!-- settings: end -->")[0]

    assert listed == settings_table()


def test_the_schema_for_editors_is_the_code_s_when_the_docs_have_it() -> None:
    """docs/settings.schema.json is what `--about --format jsonschema` prints."""
    assert (ROOT / "docs/settings.schema.json").read_text(encoding="utf-8") == editor_jsonschema()


def test_each_exit_code_is_explained_when_there_is_one() -> None:
    """README's table has a row for each code, and none for another."""
    explained = re.findall(r"^\| (\d+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)

    assert [int(code) for code in explained] == sorted(ExitCode)


def test_the_readme_is_short_when_it_grows() -> None:
    """It stays under 150 lines."""
    assert len(README.read_text(encoding="utf-8").splitlines()) < 150


# Commands.


@pytest.mark.parametrize("line", list(_commands()))
def test_a_command_exists_when_a_page_tells_to_type_it(line: str) -> None:
    """Its program, target, job, plugin, option and variable are there."""
    name, *words = shlex.split(line.rstrip("&"), comments=True)
    there: dict[str, Callable[[list[str]], bool]] = {
        "make": _is_make_target,
        "target-driftrock": _is_ours,
        "meltano": _is_meltano_s,
        "export": _are_variables,
        "psql": _names_a_file,
        "pipx": lambda words: words[0] == "install",
        "pip": lambda words: words[:2] == ["install", "-c"] and (ROOT / words[2]).is_file(),
        "docker": _is_in_a_container,
        "podman": _is_in_a_container,
        "kubectl": _names_what_is_there,
        "curl": lambda words: words[-1].startswith("http://127.0.0.1:8377/"),
    }

    assert there[name](words)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_command_of_ours_exists_when_a_page_names_it(page: Path) -> None:
    """`target-driftrock NAME` and `make NAME` in the text are there."""
    text = page.read_text(encoding="utf-8")

    ours, targets = re.findall(r"`target-driftrock ([\w-]+)", text), re.findall(r"`make ([\w-]+)`", text)

    assert [word for word in ours if not _is_ours([word])] == []
    assert [word for word in targets if not _is_make_target([word])] == []


def _is_make_target(words: list[str]) -> bool:
    return re.search(rf"^{words[0]}:.* ## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE) is not None


def _is_ours(words: list[str]) -> bool:
    command = program.get_command(click.Context(program), words[0]) or program
    if words[0] == "sandbox":
        return True  # its options come of a table, and its page is held to that
    there = {name for option in command.params for name in option.opts}
    return (command is not program or words[0] in there) and there >= {word for word in words if word.startswith("--")}


def _is_in_a_container(words: list[str]) -> bool:
    """What follows the image's name is ours, up to where input comes from; a file that is named is there."""
    match words:
        case ["run", *_]:
            arguments = words[words.index("target-driftrock") + 1 :]
            return _is_ours([word.partition("=")[0] for word in arguments if word not in {"<", "leads.singer"}])
        case ["compose" | "build", *_]:
            return _names_what_is_there(words)
        case _:
            return words[:2] == ["volume", "create"]


def _names_what_is_there(words: list[str]) -> bool:
    return all((ROOT / word.rpartition("=")[2]).exists() for word in words if "/" in word)


def _is_meltano_s(words: list[str]) -> bool:
    plugins = {plugin["name"] for kind in PROJECT["plugins"].values() for plugin in kind}
    match words:
        case ["install"]:
            return True
        case ["add", "target-driftrock", "--plugin-type", "loader", "--from-ref", file, *_]:
            return (ROOT / file).is_file()
        case ["run", *names]:
            return set(names) <= plugins | {job["name"] for job in PROJECT["jobs"]}
        case ["invoke", name, *_]:
            plugin, _, command = name.partition(":")
            return plugin in plugins and (not command or command in definition()["commands"])
        case _:
            return False


def _are_variables(words: list[str]) -> bool:
    settings = {"POSTGRES_PASSWORD", *(f"TARGET_DRIFTROCK_{row.name.upper()}" for row in TABLE)}
    return {word.partition("=")[0] for word in words} <= settings


def _names_a_file(words: list[str]) -> bool:
    return (ROOT / words[words.index("--file") + 1]).exists()


# meltano.yml.


def test_every_setting_is_declared_when_meltano_reads_the_plugin() -> None:
    """The definition lists them all: Meltano passes nothing else on."""
    declared = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))["settings"]

    assert [setting["name"] for setting in declared] == [row.name for row in TABLE]


@pytest.mark.parametrize(("file", "made"), [(DEFINITION, as_yaml), (LOCK, as_json)], ids=["Hub's form", "Meltano's"])
def test_the_definition_is_the_code_s_when_meltano_reads_it(file: Path, made: Callable[[], str]) -> None:
    """`make definition` writes it anew."""
    assert file.read_text(encoding="utf-8") == made()


def test_the_commands_take_the_plugin_s_settings_when_meltano_starts_them() -> None:
    """Each command of the plugin is one of ours, and reads the environment that Meltano sets."""
    commands = definition()["commands"]

    assert commands.keys() <= COMMANDS.keys()
    assert all(command["args"] == f"{name} --config=ENV" for name, command in commands.items())


def test_a_trial_moves_no_real_bookmark_when_it_goes_to_the_sandbox() -> None:
    """The sandbox is a plugin of its own, with another environment and another ledger."""
    sandbox = LOADERS["target-driftrock--sandbox"]
    parent = LOADERS["target-driftrock"]

    assert sandbox["inherit_from"] == "target-driftrock"
    assert sandbox["config"]["environment"] == "sandbox"
    assert sandbox["config"]["ledger"] != parent["config"]["ledger"]


def test_paths_hold_when_meltano_is_started_in_another_folder() -> None:
    """Each path in the loaders' settings begins at the project."""
    places = [loader["config"]["ledger"] for loader in LOADERS.values()]

    assert all(place.startswith("$MELTANO_PROJECT_ROOT/") for place in places)


def test_the_demo_has_a_ledger_of_its_own_when_it_is_played_by_hand() -> None:
    """What went into a sandbox would else stand among production's runs, in the ledger that meltano.yml names."""
    demo = json.loads((ROOT / "demo/settings.json").read_text(encoding="utf-8"))["ledger"]
    ledgers = {loader["config"]["ledger"].rpartition("/")[2] for loader in LOADERS.values()}

    assert demo.startswith(".ledger-")  # which .gitignore names, and a release is searched for
    assert demo not in ledgers
    assert f"with {demo} for a ledger" in (ROOT / "demo/__main__.py").read_text(encoding="utf-8")


# Architecture.


def test_a_module_has_a_row_when_it_is_one_of_the_layers() -> None:
    """docs/architecture.md says of each package, and of each module beside them and in delivery/, what it owns."""
    package = ROOT / "target_driftrock"
    modules = {path.stem for folder in (package, package / "delivery") for path in folder.glob("[!_]*.py")}
    packages = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")} - {"delivery/"}

    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    cells = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`(?:delivery/)?(\w+/?)`", cells))

    assert (modules | packages) - named == set()


def test_a_word_of_the_glossary_leads_to_code_when_it_names_some() -> None:
    """Each module and name in its last column is there; and no word stands there twice."""
    rows = [line.split("|") for line in (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines()]
    words = [row[1].strip() for row in rows if len(row) == 5 and not row[1].startswith("---")]
    places = [place for row in rows if len(row) == 5 for place in re.findall(r"`([\w.]+)`", row[3])]

    assert len(places) > 40
    assert [place for place in places if not _is_there(f"target_driftrock.{place}")] == []
    assert sorted(set(words) - {"word"}) == sorted(word for word in words if word != "word")


def _is_there(place: str) -> bool:
    """A module, or a name in one."""
    try:
        return bool(import_module(place))
    except ModuleNotFoundError:
        module, _, name = place.rpartition(".")
        return hasattr(import_module(module), name)


# Links and hosts.


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_link_leads_somewhere_when_it_stays_in_the_repository(page: Path) -> None:
    """Each file exists, and each heading that a link names."""
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not link.startswith("https://")]

    assert [link for link in links if not _resolves(page, link)] == []


def _resolves(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    place = (page.parent / path).resolve() if path else page
    if not place.exists() or not place.is_relative_to(ROOT):
        return False
    return not heading or heading in {_anchor(line) for line in place.read_text(encoding="utf-8").splitlines()}


def _anchor(line: str) -> str:
    """What a heading is linked by."""
    text = line.lstrip("#").strip().lower() if line.startswith("#") else ""
    return re.sub(r"[^\w -]", "", text).replace(" ", "-")


@pytest.mark.parametrize("path", [*PAGES, ROOT / "meltano.yml"], ids=_name)
def test_no_registry_is_named_when_a_page_tells_how_to_install(path: Path) -> None:
    """Where packages come from is for the reader's own pip to know."""
    hosts = re.compile(r"\b(pypi|pythonhosted|npmjs|crates|rubygems|docker)\.(org|com|io)\b")

    assert hosts.findall(path.read_text(encoding="utf-8")) == []
