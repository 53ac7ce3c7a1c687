"""The receipts of the latest runs, and the ids of the events whose answer was lost."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from target_driftrock.commands.report import csv_lines, month, run_lines, run_table, unknown_json, unknown_lines
from target_driftrock.events.outcome import Delivered
from target_driftrock.ledger.interface import Concluded, Intent, Lost
from target_driftrock.ledger.reading import Run, UnknownEvent, reading
from tests.commands.ledgers import PLACES, lead, rejected, write, writing
from tests.stage import LEADS, Stage, record, schema

Place = Callable[[Path], AbstractContextManager[str]]
over_both = pytest.mark.parametrize("place", PLACES)

RECEIPT = {
    "events": {"delivered": 1, "already_delivered": 2, "changed": 3, "open": 4},
    "changes": [{"mapping": "streams[0] (leads)", "cause": "the same person", "count": 3}],
    "changes_sent": {"streams[0] (leads)": 1},
    "answers_lost": 5,
}


def run(number: int = 1, **others: Any) -> Run:
    """A run of an invented hour."""
    return Run(
        **{
            "id": number,
            "started_at": 0.0,
            "ended_at": 60.0,
            "exit_code": 0,
            "is_running": False,
            "delivered": 1,
            "invalid": 6,
            "rejected": 7,
            "held": 8,
            "unknown": 5,
            "receipt": json.dumps(RECEIPT),
            **others,
        }
    )


RUNS = {
    "ended": (
        run(),
        {"status": "ended", "exit_code": 0, "ended": "1970-01-01T00:01:00Z", "open": 4, "answers_lost": 5, "held": 8},
    ),
    "cut off": (
        run(exit_code=None, receipt=None),
        {"status": "cut off", "exit_code": None, "delivered": 1, "open": None, "changed": None, "answers_lost": 5},
    ),
    "cut off, and nobody has run since": (
        run(exit_code=None, receipt=None, ended_at=None),
        {"status": "cut off", "exit_code": None, "ended": None, "receipt": None},
    ),
    "running": (
        run(exit_code=None, receipt=None, ended_at=None, is_running=True),
        {"status": "running", "exit_code": None, "ended": None, "delivered": 1},
    ),
}


@pytest.mark.parametrize(("given", "expected"), RUNS.values(), ids=RUNS)
def test_a_run_is_a_line_of_json_when_a_program_asks(given: Run, expected: dict[str, Any]) -> None:
    """With its counts, and its receipt as it was kept."""
    (line,) = run_lines([given])

    told = json.loads(line)
    assert {name: told[name] for name in expected} == expected
    assert told["receipt"] == (None if given.receipt is None else RECEIPT)


def test_the_counts_have_their_columns_when_people_ask() -> None:
    """What a run that was cut off could not tell is a question mark, and the sums stand beneath."""
    runs = [run(1), run(2, exit_code=None, receipt=None), run(3, exit_code=6, is_running=False)]

    shown = run_table(runs, width=200)

    columns = {str(column.header): [*map(str, column.cells), str(column.footer)] for column in shown.columns}
    assert columns == {
        "run": ["1", "2", "3", "all"],
        "started": ["1970-01-01T00:00:00Z"] * 3 + [""],
        "ended": ["1970-01-01T00:01:00Z"] * 3 + [""],
        "exit code": ["0", "cut off", "6", ""],
        "delivered": ["1", "1", "1", "3"],
        "already": ["2", "?", "2", "4"],
        "changed": ["3", "?", "3", "6"],
        "invalid": ["6", "6", "6", "18"],
        "rejected": ["7", "7", "7", "21"],
        "held": ["8", "8", "8", "24"],
        "open": ["4", "?", "4", "8"],
        "answers lost": ["5", "5", "5", "15"],
    }


MANY = 1_234_567_890
BUSY = {
    "events": dict.fromkeys(("already_delivered", "changed", "open"), MANY),
    "answers_lost": MANY,
}


def drawn(runs: list[Run], *, width: int) -> list[str]:
    """The lines of the table on a terminal of that width."""
    out = io.StringIO()
    Console(width=width, file=out).print(run_table(runs, width=width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("exit_code", [0, 141, None], ids=["ended", "unread", "killed"])
def test_no_digit_is_cut_when_the_counts_are_large(width: int, exit_code: int | None) -> None:
    """Not even on a terminal of eighty columns, and not in the sums."""
    counts = dict.fromkeys(("delivered", "invalid", "rejected", "held", "unknown"), MANY)
    runs = [run(number, **counts, exit_code=exit_code, receipt=json.dumps(BUSY)) for number in range(99_990, 100_000)]

    lines = drawn(runs, width=width)

    words = " ".join(lines).split()
    assert max(map(len, lines)) <= width
    assert words.count(str(MANY)) == 8 * len(runs)
    assert words.count(str(MANY * len(runs))) == 8
    assert words.count("1970-01-01T00:00:00Z") == words.count("1970-01-01T00:01:00Z") == len(runs)
    assert {"delivered", "already", "changed", "invalid", "rejected", "held", "open", "answers"} <= set(words)


def test_the_counts_stand_below_each_other_when_the_terminal_is_narrow() -> None:
    """Each in the place that the head of its column says."""
    lines = drawn([run(1, exit_code=6)], width=80)

    cells = [[cell.strip() for cell in re.split("[┃│]", line)[1:-1]] for line in lines if line[0] in "┃│"]
    assert cells == [
        ["run", "started", "delivered", "invalid", "open"],
        ["exit", "ended", "already", "rejected", "answers lost"],
        ["", "", "changed", "held", ""],
        ["1", "1970-01-01T00:00:00Z", "1", "6", "4"],
        ["6", "1970-01-01T00:01:00Z", "2", "7", "5"],
        ["", "", "3", "8", ""],
    ]


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        pytest.param("2026-01", (2026, 1), (2026, 2), id="january"),
        pytest.param("2026-12", (2026, 12), (2027, 1), id="december"),
    ],
)
def test_a_month_has_its_bounds_when_it_is_named(text: str, begin: tuple[int, int], end: tuple[int, int]) -> None:
    """In UTC, the end not included."""
    assert month(text) == (
        datetime(*begin, 1, tzinfo=UTC).timestamp(),
        datetime(*end, 1, tzinfo=UTC).timestamp(),
    )


def test_an_id_moves_no_cursor_when_it_is_printed() -> None:
    """A record's text may hold anything; the JSON holds it exactly."""
    event = UnknownEvent(event_id="a\t\x1b[2J\nü", capture="streams[0] (leads)", lost=2, run=1, at=0.0)

    assert list(unknown_lines([event])) == ["a\\t\\u001b[2J\\nü\tstreams[0] (leads)\t1970-01-01T00:00:00Z\n".encode()]
    assert [json.loads(line) for line in unknown_json([event])] == [
        {
            "event_id": "a\t\x1b[2J\nü",
            "capture": "streams[0] (leads)",
            "at": "1970-01-01T00:00:00Z",
            "answers_lost": 2,
            "run": 1,
        }
    ]


COUNTED = ("delivered", "already_delivered", "changed", "invalid", "rejected", "held", "open")


def line_of(name: str = "Signed up", **others: Any) -> dict[str, Any]:
    """An account of a receipt."""
    counts = dict.fromkeys(COUNTED, 0)
    mapping = "streams[0] (leads)"
    told = {"mapping": mapping, "capture": f"{mapping} source_id website", "day": "2026-01-31", "type": "lead"}
    return {"stream": "leads", **told, "name": name, **counts, **others}


def read_csv(*lines: Mapping[str, Any], runs: int = 1) -> list[list[str]]:
    """The rows of runs whose receipts have these lines."""
    receipt = json.dumps({"events_by_line": lines})
    text = b"".join(csv_lines([run(number, receipt=receipt) for number in range(runs)])).decode()
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_the_sums_are_by_type_name_capture_and_day_when_a_spreadsheet_asks() -> None:
    """Over runs, mappings and streams, to be laid beside Driftrock's own figures; the heads first."""
    other = {"mapping": "streams[1] (*)", "capture": "streams[1] (*) source_id website affiliate_id partner"}
    lines = (
        line_of(delivered=2, held=1),
        line_of(delivered=1, stream="more", mapping="streams[1] (*)", capture="streams[1] (*) source_id website"),
        line_of(delivered=4, **other),
        line_of(delivered=5, day="2026-02-01"),
        line_of("", invalid=7, mapping="stream leads", capture="", type=""),
    )

    assert read_csv(*lines, runs=2) == [
        [*("type", "name", "capture", "day"), *COUNTED],
        ["", "", "", "2026-01-31", "0", "0", "0", "14", "0", "0", "0"],
        ["lead", "Signed up", "website", "2026-01-31", "6", "0", "0", "0", "0", "2", "0"],
        ["lead", "Signed up", "website", "2026-02-01", "10", "0", "0", "0", "0", "0", "0"],
        ["lead", "Signed up", "website affiliate_id partner", "2026-01-31", "8", "0", "0", "0", "0", "0", "0"],
    ]


def test_a_run_has_no_line_when_it_has_no_receipt() -> None:
    """One that was cut off, or runs."""
    assert len(list(csv_lines([run(receipt=None), run(receipt="{}")]))) == 1


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        pytest.param("=1+1", "'=1+1", id="a formula"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-1", "'-1", id="minus"),
        pytest.param("@SUM(1)", "'@SUM(1)", id="at"),
        pytest.param("  =1", "  '=1", id="behind spaces"),
        pytest.param("\t=1", "\\t=1", id="behind a tab"),
        pytest.param("\r=1", "\\r=1", id="behind a line break"),
        pytest.param("\uff1d1", "'\uff1d1", id="wide"),
        pytest.param("a;=1", "a;'=1", id="where columns are parted by semicolons"),
        pytest.param("a,=1", "a,'=1", id="behind a comma"),
        pytest.param('"=1', '"=1', id="in quotes"),
        pytest.param("Signed-up = yes", "Signed-up = yes", id="none"),
        pytest.param("", "", id="empty"),
    ],
)
def test_no_name_is_a_formula_when_a_spreadsheet_opens_it(name: str, cell: str) -> None:
    """A stream is called as its tap calls it, and so may its events be."""
    mapping = "streams[0] (leads)"

    (row,) = read_csv(line_of(name, capture=f"{mapping} source_id {name}"))[1:]

    assert row[1:3] == [cell, cell]


# Of a ledger.


@over_both
def test_the_latest_runs_come_when_they_are_counted(place: Place, tmp_path: Path) -> None:
    """The latest one last; those of another month do not."""
    now = time.time()
    with place(tmp_path) as location:
        for number in range(1, 4):
            write(location, [Concluded(part=lead(number), outcome=Delivered())], exit_code=number)
        with reading(location) as ledger:
            assert [run.exit_code for run in ledger.runs(last=2)] == [2, 3]
            assert [run.id for run in ledger.runs(between=(now - 60, now + 60))] == [1, 2, 3]
            assert ledger.runs(between=(0.0, now - 60)) == []
            assert [run.delivered for run in ledger.runs()] == [1, 1, 1]


@over_both
def test_a_run_shows_as_running_when_it_lives(place: Place, tmp_path: Path) -> None:
    """It holds the ledger's lock; one that was killed does not, before and after the next one."""
    with place(tmp_path) as location:
        write(location, [], exit_code=None)
        with reading(location) as ledger:
            assert [(run.is_running, run.exit_code) for run in ledger.runs()] == [(False, None)]
            with writing(location):
                assert [(run.is_running, run.exit_code) for run in ledger.runs()] == [(False, None), (True, None)]
            assert [(run.is_running, run.exit_code) for run in ledger.runs()] == [(False, None), (False, None)]


def test_a_run_shows_as_cut_off_when_somebody_else_has_the_lock(tmp_path: Path) -> None:
    """As `rejects --delete` does: it begins no run, so the one that was cut off is still without an end."""
    place = tmp_path / "ledger"
    write(str(place), [], exit_code=None)

    with (place / "lock").open("r+b") as lock, reading(str(place)) as ledger:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate()
        lock.write(b"target-driftrock 1@elsewhere")
        lock.flush()

        assert [run.is_running for run in ledger.runs()] == [False]


@over_both
def test_the_lost_answers_of_these_runs_come_when_they_are_asked_for(place: Place, tmp_path: Path) -> None:
    """Each event once, by the run that lost its answer for the last time, whatever became of it."""
    one, two = lead(1), lead(2)
    with place(tmp_path) as location:
        write(location, [Intent(one), Lost(one), Intent(two), Lost(two)])
        write(location, [Intent(two), Lost(two), Intent(two), rejected(two)])
        with reading(location) as ledger:
            assert [(event.event_id, event.lost) for event in ledger.unknown([1, 2])] == [
                ("leads:1", 1),
                ("leads:2", 2),
            ]
            assert [event.event_id for event in ledger.unknown([2])] == ["leads:2"]
            assert ledger.unknown([]) == []


# The command.


def test_the_receipts_are_printed_when_runs_have_ended(stage: Stage) -> None:
    """As a table or as JSON, of so many runs or of a month, without credentials."""
    stage.run(schema(), record(1), record(2))
    stage.run(schema(), record(2), record(3))
    config = stage.config(environment="production")
    this_month = time.strftime("%Y-%m", time.gmtime())

    code, out, err = stage.finished("report", config)
    told = [json.loads(line) for line in stage.finished("report", config, "--json")[1].splitlines()]

    assert (code, err) == (0, "")
    assert re.search(r"│ 2 .*│ 0 +│ +1 │ +1 │ +0 │ +0 │ +0 │ +0 │ +0 │ +0 │", out)
    assert re.search(r"│ all .*│ +3 │ +1 │", out)
    assert [each["delivered"] for each in told] == [2, 1]
    assert told[1]["receipt"]["records"]["read"] == 2
    assert stage.finished("report", config, "--json", "--last", "1")[1].count("\n") == 1
    assert stage.finished("report", config, "--json", "--month", this_month)[1].count("\n") == 2
    assert stage.finished("report", config, "--json", "--month", "2001-01") == (0, "", "")


def test_changes_are_counted_when_events_came_with_other_content(stage: Stage) -> None:
    """Those that were not sent in the table; by mapping and cause in the receipt, and those that were sent."""
    before, *after = (record(1, email="ada@example.com", note=note) for note in ("", "moved", "moved again"))
    stage.run(schema(), before)
    stage.run(schema(), after[0])
    stage.run(schema(), after[1], on_changed="send")
    config = stage.config()

    _, out, _ = stage.finished("report", config)
    receipts = [json.loads(line)["receipt"] for line in stage.finished("report", config, "--json")[1].splitlines()]

    assert re.search(r"│ 2 .*│ 0 +│ +0 │ +0 │ +1 │ +0 │ +0 │ +0 │ +0 │ +0 │", out)
    assert re.search(r"│ 3 .*│ 0 +│ +1 │ +0 │ +0 │ +0 │ +0 │ +0 │ +0 │ +0 │", out)
    mapping = "streams[0] (leads)"
    assert [receipt["changes"] for receipt in receipts[1:]] == [
        [{"mapping": mapping, "cause": "the same person", "count": 1}],
        [],
    ]
    assert [receipt["changes_sent"] for receipt in receipts] == [{}, {}, {mapping: 1}]


def test_the_ids_are_printed_when_answers_were_lost(stage: Stage) -> None:
    """A line each, with the capture's label and the time; nothing of the record."""
    stage.wire.post("/_sandbox/faults", {"silent_share": 1.0})
    stage.run(schema(), record(1, email="ada@example.com"), on_unknown="hold", read_timeout=0.2)

    code, out, _ = stage.finished("report", stage.config(), "--unknown")

    assert code == 0
    assert re.fullmatch(r"leads:1\tstreams\[0\] \(leads\)[^\t]*\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", out)
    assert json.loads(stage.finished("report", stage.config(), "--unknown", "--json")[1])["event_id"] == "leads:1"


def test_a_spreadsheet_has_the_sums_when_runs_have_ended(stage: Stage) -> None:
    """What was delivered, by the name that the settings have; what comes of a record is told as its template."""
    made = {**LEADS, "event_name": "For {email}", "source_id": "capture-1"}
    stage.run(schema(), record(1, email="ada@example.com"), record(2, email="grace@example.com"), streams=[made])

    code, out, err = stage.finished("report", stage.config(), "--csv")

    assert (code, err) == (0, "")
    assert (
        out.splitlines()[1] == f"lead,For {{email}},capture-1,{time.strftime('%Y-%m-%d', time.gmtime())},2,0,0,0,0,0,0"
    )
    assert stage.finished("report", stage.config(), "--csv", "--json")[0] == 2


@pytest.mark.parametrize("options", [("--month", "2026"), ("--month", "2026-13"), ("--last", "0"), ("--last", "x")])
def test_it_ends_with_2_when_an_option_is_wrong(stage: Stage, options: tuple[str, str]) -> None:
    """Naming the option."""
    code, out, err = stage.finished("report", stage.config(), *options)

    assert (code, out) == (2, "")
    assert options[0] in err


def test_it_ends_with_2_when_there_is_no_ledger(stage: Stage) -> None:
    """There is nothing to report of."""
    assert stage.finished("report", stage.config())[0] == 2
