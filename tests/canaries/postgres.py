"""A ledger in PostgreSQL: what its server can do, and what one that only refuses says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote

from tests.canaries.cases import COMMANDS, REFUSING, SCHEMA, STATE, Case, Run, person
from tests.canaries.values import PERSONAL, SECRETS
from tests.contract.places import new_schema
from tests.ledger import test_causes as causes
from tests.ledger.refusing import answering, error_response
from tests.program import written

_PASSWORD = quote(SECRETS["password"], safe="")
AGAIN = written([SCHEMA, *(person(number) for number in range(5, 9)), person(9, few=PERSONAL["name"]), STATE])


@contextmanager
def _schema(options: str = "") -> Iterator[str]:
    """One in a schema of its own; the server does not ask for the password."""
    with new_schema() as url:
        yield url.replace("postgres@", f"postgres:{_PASSWORD}@") + options


@contextmanager
def _refusing(code: str, text: str) -> Iterator[str]:
    """A server that says this, and more that nobody may see."""
    values = " ".join((*PERSONAL.values(), *SECRETS.values()))
    with answering(error_response(code, text.replace(causes.SECRET, values))) as port:
        yield f"postgresql://u:{_PASSWORD}@127.0.0.1:{port}/d"


_INSIDE = """
import json, os, psycopg
from target_driftrock.ledger.database import this_process
from target_driftrock.ledger.durable import DurableLedger, guarded
with open("config.json") as file:
    url, _, schema = json.load(file)["ledger"].partition("?schema=")
def say(*statements):
    with psycopg.connect(url, autocommit=True, options="-csearch_path=" + schema) as connection:
        for statement in statements:
            connection.execute(statement)
"""
_FAILING = """
say(
    "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION '%', NEW USING DETAIL = NEW, HINT = NEW, ERRCODE = '{code}'; END $$",
    "CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail()",
)
"""
"""As somebody else's trigger: its error repeats the row."""
_CONSTRAINED = """
say("ALTER TABLE kept ADD CHECK (length(record) < 1) NOT VALID")
"""
_ENDED = """
was = DurableLedger.{call}
def end(*given, **named):
    name = this_process()
    say(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{{name}}'")
    return was(*given, **named)
DurableLedger.{call} = end
"""
"""The session ends in the middle of a run."""
_WRONG = """
was = DurableLedger.commit
def commit(self, changes):
    with guarded(self._database):
        self._connection.exec_driver_sql("SELECT %s::int", ({value!r},))
    return was(self, changes)
DurableLedger.commit = commit
"""
"""A statement that the server cannot read for what it is handed."""


def postgres_cases() -> Iterator[Case]:
    """Each with values in rows, in parameters, in the URL, and in what the server says."""
    yield Case(name="commands", runs=COMMANDS, faults=REFUSING, ledger=_schema)
    looks = tuple(run for run in COMMANDS if run.command[:1] in {("report",), ("trace",)})
    twice = written([SCHEMA, person(1), person(1, email=PERSONAL["name"], person=None), STATE])
    yield Case(name="a collision", runs=(Run(lines=twice), *looks), ledger=_schema)
    for name, before in (
        *((f"{table} refuses: {code}", _FAILING.format(table=table, code=code)) for table, code in _REFUSED),
        ("a constraint", _CONSTRAINED),
        *((f"a session ends at {call}", _ENDED.format(call=call)) for call in _CALLS),
        ("a statement that fails", _WRONG.format(value=PERSONAL["email"])),
    ):
        broken = Run(before=_INSIDE + before, lines=AGAIN)
        yield Case(name=name, runs=(Run(), broken, *looks), faults=REFUSING, ledger=_schema)
    commands = (Run(), *(Run(command=command, lines=b"") for command in (("check",), ("report",))))
    for kind in (causes.MENDED_BY_A_PERSON, causes.MAY_PASS):
        for name, (code, text, _) in kind.items():
            yield Case(name=name, runs=commands, ledger=partial(_refusing, code, text))
    for name, (query, _) in causes.OPTIONS.items():
        told = query.replace(causes.SECRET, quote(SECRETS["token"]))
        yield Case(name=f"an option: {name}", runs=commands, ledger=partial(_schema, f"&{told}"))
    read_only = partial(_schema, "&options=-cdefault_transaction_read_only%3Don")
    yield Case(name="no right to write", runs=commands, ledger=read_only)


_REFUSED = (("kept", "23514"), ("kept", "53100"), ("kept", "P0001"), ("deliveries", "42501"), ("runs", "57014"))
"""Tables, and as what their trigger fails: a constraint, a full disk, a right, a statement that took too long."""
_CALLS = ("recall", "commit", "secure", "finish", "rejects_waiting")
