"""Who gets into a ledger's directory: what others could have put there is neither opened nor changed."""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from target_driftrock.errors import RunStopped
from target_driftrock.events.outcome import Rejected
from target_driftrock.ledger.durable import open_ledger
from target_driftrock.ledger.inspection import doubts
from target_driftrock.ledger.interface import Concluded
from target_driftrock.ledger.reading import reading
from tests.contract.places import opened
from tests.delivery.examples import API, event, origin
from tests.ledger.test_files import mode
from tests.lying import wherever
from tests.program import ROOT, finished

US, OTHER, GROUP = 1234, 1000, 2000
AS_USER = f"""
import os, sys
from tests.ledger import test_owners
os.umask(0o002)
os.setgroups([])
os.setgid({GROUP})
os.setuid({US})
getattr(test_owners, sys.argv[1])(*sys.argv[2:])
"""
"""As a container is started with a group of the volume."""
PRIVATE = "ledger.private"
CANARY = b'{"email": "ada@example.com"}'
OCCASIONS = 40
FILES = ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm", "ledger.sqlite3-journal", "lock")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that any user can reach, and root's: in it lie the ledger's, and what others would spoil."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    with tempfile.TemporaryDirectory(prefix="owners-test-") as found:
        Path(found).chmod(0o755)
        yield Path(found)


def made(path: Path, *, owner: int, permissions: int) -> Path:
    """A directory, of the group that we are in."""
    path.mkdir(exist_ok=True)
    os.chown(path, owner, GROUP)
    path.chmod(permissions)
    return path


# What is done as this user: what it says is printed, for the test.


def keep(location: str) -> None:
    """A run that keeps a row, and prints what files it had meanwhile, with their permissions."""
    with opened(location) as ledger:
        ledger.commit([Concluded(part=event(1), outcome=Rejected(status=400))])
        found = {str(path.relative_to(location)): mode(path) for path in Path(location).rglob("*")}
    print(json.dumps(found))  # noqa: T201 - to the test


def say(*locations: str) -> None:
    """What each of those who would open a ledger says."""
    found = [[_said(look, location) for look in (_run, _check, _read)] for location in locations]
    print(json.dumps(found))  # noqa: T201 - to the test


def race(*locations: str) -> None:
    """Runs that keep a row while others exchange the directory within: at the first occasion, at the second, and so on.

    An occasion is whatever Python tells an audit hook. Prints what each run ended with, None where there was no more.
    """
    places: list[Path] = []
    left = 0

    def look(event: str, _: object) -> None:
        nonlocal left
        if not places or event not in {"open", "os.mkdir", "os.chmod", "sqlite3.connect"}:
            return
        left -= 1
        if left < 0:
            _exchange(places.pop())

    sys.addaudithook(look)
    codes = []
    for number, location in enumerate(locations):
        places, left = [Path(location)], number
        code, _text = _said(_keep_one, location)
        codes.append(None if places else code)
    print(json.dumps(codes))  # noqa: T201 - to the test


def _exchange(place: Path) -> None:
    if (place / "theirs").exists():
        if (place / PRIVATE).exists():
            (place / PRIVATE).rename(place / "ours")
        (place / "theirs").rename(place / PRIVATE)


def _keep_one(location: str) -> None:
    with opened(location) as ledger:
        part = structs.replace(event(1), origin=origin(1, record=CANARY))
        ledger.commit([Concluded(part=part, outcome=Rejected(status=400))])


def _run(location: str) -> None:
    ledger = open_ledger(location, api=API, wait=0, is_stopped=lambda: False)
    assert ledger is not None
    ledger.close()


def _check(location: str) -> list[str]:
    return wherever(doubts(location))


def _read(location: str) -> None:
    with reading(location) as ledger:
        ledger.runs()


def _said(look: Callable[[str], object], location: str) -> Any:
    try:
        return [0, look(location)]
    except RunStopped as stop:
        return [stop.exit_code, str(stop)]


def as_user(what: str, *locations: Path) -> Any:
    """What it prints."""
    done = finished(what, *map(str, locations), folder=ROOT, command=[sys.executable, "-c", AS_USER])
    assert done.code == 0, done.err
    return json.loads(done.out)


def refusals(*locations: Path) -> list[str]:
    """What a run, `check` and a reader say alike as this user: a setting is to be mended."""
    found = []
    for said in as_user("say", *locations):
        assert [code for code, _ in said] == [2, 2, 2], said
        (text,) = {text for _, text in said}
        found.append(str(text))
    return found


USED = [[0, None], [0, []], [0, None]]
"""What all three say where nothing is wrong."""


# A directory that others may write to.


@pytest.mark.parametrize("owner", [0, US, OTHER], ids=["root's", "our own", "another's"])
def test_a_directory_is_refused_when_everybody_may_write_to_it(folder: Path, owner: int) -> None:
    """Also where only the owner of a file may take it away, as in /tmp. The command that mends it is told."""
    ledgers = [
        made(folder / oct(permissions), owner=owner, permissions=permissions)
        for permissions in (0o777, 0o1777, 0o757, 0o703)
    ]

    for ledger, text in zip(ledgers, refusals(*ledgers), strict=True):
        assert f"chmod o-w {ledger}" in text
        assert list(ledger.iterdir()) == []


def test_a_directory_is_made_when_everybody_may_write_beside_it(folder: Path) -> None:
    """What lies in it is this user's alone, whatever lies beside it."""
    made(folder / "everybody", owner=0, permissions=0o1777)

    found = as_user("keep", folder / "everybody" / "ledger")

    assert set(found.values()) == {0o600}
    assert mode(folder / "everybody" / "ledger") == 0o700


SHARED = {
    "root's, as with a fsGroup": (0, 0o2775),
    "our own": (US, 0o775),
    "another's": (OTHER, 0o2770),
}


@pytest.mark.parametrize(("owner", "permissions"), SHARED.values(), ids=SHARED)
def test_a_ledger_lies_in_a_directory_of_its_own_when_a_group_may_write(
    folder: Path, owner: int, permissions: int
) -> None:
    """Nobody else can put a file beside it, or read it, and it is found there again."""
    ledger = made(folder / "ledger", owner=owner, permissions=permissions)

    first = as_user("keep", ledger)
    again = as_user("say", ledger)

    assert first == {PRIVATE: 0o700} | {
        f"{PRIVATE}/{name}": 0o600 for name in ("ledger.sqlite3", "ledger.sqlite3-shm", "ledger.sqlite3-wal", "lock")
    }
    assert again == [USED]
    assert [path.name for path in ledger.iterdir()] == [PRIVATE]


def test_a_ledger_stays_where_it_is_when_its_directory_is_mended(folder: Path) -> None:
    """Or everything would be sent again."""
    ledger = made(folder / "ledger", owner=US, permissions=0o775)
    as_user("keep", ledger)
    ledger.chmod(0o700)

    as_user("keep", ledger)

    assert [path.name for path in ledger.iterdir()] == [PRIVATE]


def test_a_ledger_is_ours_alone_again_when_its_volume_was_given_to_a_group(folder: Path) -> None:
    """As Kubernetes does with all that lies in a volume, each time that it is mounted."""
    ledger = made(folder / "ledger", owner=0, permissions=0o2775)
    as_user("keep", ledger)
    (ledger / PRIVATE).chmod(0o2770)
    for file in (ledger / PRIVATE).iterdir():
        file.chmod(0o660)

    found = as_user("keep", ledger)

    assert found.pop(PRIVATE) & 0o777 == 0o700
    assert set(found.values()) == {0o600}


def test_a_ledger_of_before_is_to_be_moved_when_a_group_may_write_beside_it(folder: Path) -> None:
    """It is neither used, since anybody of the group may have put it there, nor passed over."""
    ledger = made(folder / "ledger", owner=US, permissions=0o700)
    as_user("keep", ledger)
    ledger.chmod(0o770)
    before = sorted(path.name for path in ledger.iterdir())

    (text,) = refusals(ledger)

    assert f"mkdir -m 700 {ledger}/{PRIVATE} && mv {ledger}/ledger.sqlite3* {ledger}/{PRIVATE}" in text
    assert sorted(path.name for path in ledger.iterdir()) == before


def test_a_ledger_is_refused_when_another_one_lies_beside_it(folder: Path) -> None:
    """Which of them remembers what was sent, a person has to say."""
    ledger = made(folder / "ledger", owner=US, permissions=0o770)
    as_user("keep", ledger)
    (ledger / "ledger.sqlite3").touch()
    os.chown(ledger / "ledger.sqlite3", US, GROUP)

    (text,) = refusals(ledger)

    assert f"{ledger}/ledger.sqlite3 lies in" in text


@pytest.mark.parametrize("kind", ["another's", "a link"])
def test_the_directory_within_is_refused_when_it_is_not_ours(folder: Path, kind: str) -> None:
    """A member of the group may have made it, and could read what lies there."""
    ledger = made(folder / "ledger", owner=0, permissions=0o2775)
    target = made(folder / "elsewhere" if kind == "a link" else ledger / PRIVATE, owner=OTHER, permissions=0o770)
    if kind == "a link":
        (ledger / PRIVATE).symlink_to(target)

    (text,) = refusals(ledger)

    assert f"{ledger}/{PRIVATE}" in text
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("is_new", [True, False], ids=["a new ledger", "one that is there"])
def test_nothing_reaches_another_s_directory_when_it_is_exchanged_meanwhile(folder: Path, is_new: bool) -> None:  # noqa: FBT001
    """Whoever may write beside it may rename it, and put one of their own in its place, between any two steps.

    Of what SQLite opens there in between, no more comes than that it is opened.
    """
    ledgers = [made(folder / f"{number}", owner=0, permissions=0o2775) for number in range(OCCASIONS)]
    if not is_new:
        as_user("race", *ledgers)  # nobody has put anything there yet
    for ledger in ledgers:
        theirs = made(ledger / "theirs", owner=OTHER, permissions=0o777)
        for name in FILES:
            another_s(theirs / name, ledger)

    codes = as_user("race", *ledgers)

    assert {0, 2} <= {*codes} <= {0, 2, 4, None}
    assert codes[-1] is None  # else there are more occasions
    for ledger, code in zip(ledgers, codes, strict=True):
        within = ledger / PRIVATE if code is not None else ledger / "theirs"
        assert [path for path in within.iterdir() if CANARY in path.read_bytes()] == []
        assert {(path.stat().st_uid, mode(path)) for path in within.iterdir()} == {(OTHER, 0o666)}
        assert (within / "lock").read_bytes() == b""
        assert (code == 0) <= any(CANARY in path.read_bytes() for path in ledger.rglob("ledger.sqlite3*"))


# What lies in it.


def a_link(file: Path, victim: Path) -> None:
    """To a file of ours."""
    file.symlink_to(victim)


def another_name(file: Path, victim: Path) -> None:
    """Of a file of ours."""
    os.link(victim, file)


def no_file(file: Path, victim: Path) -> None:
    """Whoever opens it waits for its other end."""
    os.mkfifo(file)


def another_s(file: Path, victim: Path) -> None:
    """Which its owner can read."""
    file.touch()
    os.chown(file, OTHER, GROUP)
    file.chmod(0o666)


PLANTS: list[Callable[[Path, Path], None]] = [a_link, another_name, no_file, another_s]


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.__name__ for plant in PLANTS])
@pytest.mark.parametrize("within", ["", PRIVATE], ids=["in it", "in the directory within"])
def test_a_file_is_refused_when_another_may_have_put_it_there(
    folder: Path, within: str, plant: Callable[[Path, Path], None]
) -> None:
    """It is named, and what it leads to stays as it is."""
    files = [folder / f"{number}" / within / name for number, name in enumerate(FILES)]
    victims = [folder / f"victim {name}" for name in FILES]
    for number, (file, victim) in enumerate(zip(files, victims, strict=True)):
        victim.write_text("untouched")
        victim.chmod(0o644)
        os.chown(victim, US, GROUP)
        made(folder / f"{number}", owner=US, permissions=0o770 if within else 0o700)
        made(file.parent, owner=US, permissions=0o700)
        plant(file, victim)

    texts = refusals(*(folder / f"{number}" for number in range(len(FILES))))

    for file, victim, text in zip(files, victims, texts, strict=True):
        assert str(file) in text
        assert (victim.read_text(), mode(victim)) == ("untouched", 0o644)
        assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_ledger_is_refused_when_root_would_open_another_s(folder: Path) -> None:
    """What its owner can put there would be root's to open; which user's it is, is told."""
    ledger = made(folder / "ledger", owner=US, permissions=0o700)
    as_user("keep", ledger)

    said = [_said(look, str(ledger)) for look in (_run, _check, _read)]

    assert [code for code, _ in said] == [2, 2, 2]
    assert f"belongs to user {US}" in said[0][1]


def test_a_ledger_is_used_when_root_has_put_it_back(folder: Path) -> None:
    """Root may read and write it in any case."""
    ledger = made(folder / "ledger", owner=US, permissions=0o700)
    as_user("keep", ledger)
    for file in ledger.iterdir():
        os.chown(file, 0, GROUP)
        file.chmod(0o660)

    assert as_user("say", ledger) == [USED]


def test_nothing_is_followed_when_root_runs_in_a_directory_of_a_user(folder: Path) -> None:
    """As a container's root does on what was mounted into it: the ledger lies where that user puts nothing."""
    ledger = made(folder / "ledger", owner=US, permissions=0o755)

    keep(str(ledger))

    within = (ledger / PRIVATE).stat()
    assert (within.st_uid, stat.S_IMODE(within.st_mode)) == (0, 0o700)
