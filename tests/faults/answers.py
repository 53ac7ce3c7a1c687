"""Rows: what the API answers, or does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.faults.crowd import OTHERS, crowd
from tests.faults.finding import Finding
from tests.faults.table import Play, Row, Stage
from tests.faults.trial import SLOTS, Trial
from tests.faults.witness import held_up, longest_gap, span

LATENCY = ("--latency", "0.02")
OUTAGE = 60.0
BROWN_OUT = 600.0
"""Seconds."""
PER_SECOND = 30
"""How much more input there is for each second of a brown-out, twice as much as can be delivered in it."""
BROWN = {"error_share": 0.5, "latency": 0.5}
SHORT_OUTAGE = 4
PATIENCE = 3
"""Seconds for an answer: shorter ones than by default, and longer than a busy machine takes."""
NEARLY = 0.9
"""Of the time that an outage lasts, how much lies at least between the first and the last request that it failed."""


def _throughout(
    *options: str,
    happened: Callable[[Trial], Mapping[str, int]],
    codes: tuple[int, ...] = (0,),
    holds: Callable[[Trial], Mapping[str, bool]] = lambda _: {},
    **settings: Any,
) -> Play:
    """A fault that is there from the first request to the last."""

    def play(stage: Stage) -> Iterator[Finding]:
        with stage.trial(*LATENCY, *options, **settings) as trial:
            trial.deliver(trial.whole())
            yield trial.finding(
                happened(trial),
                codes=codes,
                holds=holds(trial),
                most_twice=_answers_lost(trial),
                most_kept=len({each.serial for each in trial.arrivals() if each.outcome == "refused"}),
            )

    return play


def _answers_lost(trial: Trial) -> int:
    """Accepted events that the sandbox gave no answer for: each may come twice."""
    return sum(trial.count(outcome=f"accepted_{how}") for how in ("silent", "reset", "gateway"))


def _revoked(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--latency", "0.05") as trial:
        with trial.run(trial.whole()) as run:
            for part in (1, 2, 3):
                run.until(lambda: trial.arrived() >= part * len(trial.entries) // 4)  # noqa: B023 - in this turn alone
                trial.wire.post("/_sandbox/revoke")
            trial.end(run)
        counts = trial.wire.counts()
        happened = {"requests got 401": trial.count(status=401), "token requests": counts["token_requests"]}
        holds = {
            "one new token for each revocation": counts["token_requests"] == 4,
            "never two token requests at once": counts["max_concurrent_token_requests"] == 1,
        }
        yield trial.finding(happened, codes=[0], holds=holds)


def _token_endpoint_down(stage: Stage) -> Iterator[Finding]:
    with stage.trial("--token-down", "--token-lifetime", "2", "--latency", "0.05") as trial:
        with trial.run(trial.whole()) as run:
            for part in (0, 1):
                run.until(lambda: trial.arrived() >= part * len(trial.entries) // 4)  # noqa: B023 - in this turn alone
                trial.fault(token_down=True)
                run.until(lambda: _tokens_failed(trial) >= 2 + 2 * part)  # noqa: B023
                trial.fault(token_down=False)
            trial.end(run)
        yield trial.finding({"token requests got 503": _tokens_failed(trial)}, codes=[0])


def _tokens_failed(trial: Trial) -> int:
    return int(trial.wire.counts()["token_by_status"].get("503", 0))


def _meanwhile(
    name: str, *, begin: Mapping[str, Any], end: Mapping[str, Any], per_second: int = 0, **failed: Any
) -> Play:
    """A fault that begins when a quarter has arrived, and ends some seconds later. `failed` are its arrivals."""

    def play(stage: Stage) -> Iterator[Finding]:
        entries = crowd(others=OTHERS + round(stage.seconds * per_second))
        with stage.trial(*LATENCY, entries=entries) as trial:
            with trial.run(trial.whole()) as run:
                run.until(lambda: trial.arrived() >= len(entries) // 4)
                trial.fault(**begin)
                is_under_way = run.lasts(stage.seconds)
                trial.fault(**end)
                trial.end(run)
            seconds = span(trial.seen(**failed))
            yield trial.finding(
                {name: trial.count(**failed), "seconds from the first to the last": round(seconds)},
                codes=[0],
                holds={"the run went on all along": is_under_way, "it lasted": seconds >= NEARLY * stage.seconds},
                most_twice=SLOTS,
            )

    return play


def _away(stage: Stage) -> Iterator[Finding]:
    """The sandbox's process ends in the middle, and another one listens there some seconds later."""
    with stage.trial(*LATENCY) as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 4)
            trial.api.close()
            is_under_way = run.lasts(stage.seconds)
            trial.api_again()
            trial.end(run)
        seconds = longest_gap(trial.arrivals())
        yield trial.finding(
            {"process of the API ended": 1, "seconds without an arrival": round(seconds)},
            codes=[0],
            holds={"the run went on all along": is_under_way, "it lasted": seconds >= stage.seconds},
            most_twice=SLOTS,
        )


def _down_for_good(stage: Stage) -> Iterator[Finding]:
    with stage.trial(*LATENCY) as trial:
        with trial.run(trial.whole(), max_outage_seconds=SHORT_OUTAGE) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 4)
            trial.fault(down=True)
            trial.end(run)
        trial.fault(down=False)
        trial.deliver(trial.rest())
        yield trial.finding({"503": trial.count(status=503)}, codes=[4, 0])


def _silent_held(stage: Stage) -> Iterator[Finding]:
    with stage.trial(*LATENCY, "--silent-share", "0.005", read_timeout=PATIENCE, on_unknown="hold") as trial:
        trial.deliver(trial.whole())
        silent = trial.count(outcome="accepted_silent")
        yield trial.finding({"accepted, and not answered": silent}, codes=[0], most_kept=silent)


def _gateway_held(stage: Stage) -> Iterator[Finding]:
    with stage.trial(*LATENCY, "--gateway-share", "0.005", on_unknown="hold") as trial:
        trial.deliver(trial.whole())
        unanswered = trial.count(outcome="accepted_gateway")
        yield trial.finding({"accepted, and a 504": unanswered}, codes=[0], most_kept=unanswered)


def _firewall(stage: Stage) -> Iterator[Finding]:
    """For a moment nothing is refused by it; for good it ends the run, and still refuses nothing."""
    with stage.trial(*LATENCY) as trial:
        with trial.run(trial.whole()) as run:
            run.until(lambda: trial.arrived() >= len(trial.entries) // 4)
            trial.fault(html=True, html_status=403)
            run.until(lambda: trial.count(status=403) >= SLOTS)
            trial.fault(html=False)
            run.until(lambda: trial.arrived() >= len(trial.entries) // 2)
            met = trial.count(status=403)
            trial.fault(html=True)
            trial.end(run)
        trial.fault(html=False)
        trial.deliver(trial.rest())
        happened = {"403 for a moment": met, "403 until the end": trial.count(status=403) - met}
        yield trial.finding(happened, codes=[3, 0])


def _throttled(form: str) -> Play:
    return _throughout(
        *("--rate-limit", "150", "--retry-after", form), happened=lambda trial: {"429": trial.count(status=429)}
    )


def _never_two(trial: Trial) -> dict[str, bool]:
    return {"never two token requests at once": trial.wire.counts()["max_concurrent_token_requests"] == 1}


ROWS = [
    Row(
        name="503",
        fault="1 % of answers are 503",
        play=_throughout("--error-share", "0.01", happened=lambda trial: {"503": trial.count(status=503)}),
    ),
    Row(
        name="slow",
        fault="1 % of answers take 2 s",
        play=_throughout(
            *("--slow-share", "0.01", "--slow-seconds", "2"),
            happened=lambda trial: {"waits of 2 s for one person's answer": held_up(trial.arrivals(), 2.0)},
        ),
    ),
    Row(name="429", fault="429 without Retry-After", play=_throttled("none")),
    Row(name="429-seconds", fault="429 with Retry-After in seconds", play=_throttled("seconds")),
    Row(name="429-date", fault="429 with Retry-After as a date", play=_throttled("date")),
    Row(
        name="tokens",
        fault="tokens that live 2 s",
        play=_throughout(
            *("--token-lifetime", "2", "--slow-share", "0.05"),
            happened=lambda trial: {"tokens that ran out": trial.wire.counts()["token_requests"] - 1},
            holds=_never_two,
        ),
    ),
    Row(name="revoked", fault="every token revoked, three times", play=_revoked),
    Row(name="token-down", fault="token endpoint down at the start and in the middle", play=_token_endpoint_down),
    Row(
        name="silent",
        fault="0.5 % of answers never come",
        play=_throughout(
            *("--silent-share", "0.005"),
            happened=lambda trial: {"accepted, and not answered": trial.count(outcome="accepted_silent")},
            read_timeout=PATIENCE,
        ),
    ),
    Row(name="silent-hold", fault="0.5 % of answers never come, with `on_unknown: hold`", play=_silent_held),
    Row(
        name="reset-before",
        fault="1 % of connections reset before the event is accepted",
        play=_throughout(
            "--reset-before-share", "0.01", happened=lambda trial: {"resets": trial.count(outcome="reset")}
        ),
    ),
    Row(
        name="reset-after",
        fault="1 % of connections reset after the event is accepted",
        play=_throughout(
            "--reset-after-share", "0.01", happened=lambda trial: {"resets": trial.count(outcome="accepted_reset")}
        ),
    ),
    Row(
        name="gateway",
        fault="1 % of events are taken, and a gateway answers 504 for them",
        play=_throughout(
            *("--gateway-share", "0.01"),
            happened=lambda trial: {"accepted, and a 504": trial.count(outcome="accepted_gateway")},
        ),
    ),
    Row(
        name="gateway-conflict",
        fault="1 % of events are taken, and a gateway answers 502 for them; their repeats get 409",
        play=_throughout(
            *("--gateway-share", "0.01", "--gateway-status", "502", "--repeat-conflict"),
            happened=lambda trial: {"502": trial.count(status=502), "409": trial.count(status=409)},
            holds=lambda trial: {"nothing came twice": trial.wire.counts()["repeats"] == 0},
        ),
    ),
    Row(name="gateway-hold", fault="0.5 % are taken, and get 504, with `on_unknown: hold`", play=_gateway_held),
    Row(
        name="gateway-page",
        fault="1 % of events are taken, and a page with status 200 answers for them",
        play=_throughout(
            *("--gateway-share", "0.01", "--gateway-status", "200"),
            happened=lambda trial: {"accepted, and a page": trial.count(outcome="accepted_gateway")},
        ),
    ),
    Row(
        name="node",
        fault="one answer in ten is a 401, whatever the token",
        play=_throughout(
            *("--unauthorized-share", "0.1"),
            happened=lambda trial: {"401": trial.count(status=401)},
            holds=lambda trial: {
                **_never_two(trial),
                "few tokens asked for": trial.wire.counts()["token_requests"] < trial.count(status=401) / 2,
            },
        ),
    ),
    Row(
        name="token-delay",
        fault="a token is good half a second after it was given, and lives 10 s",
        play=_throughout(
            *("--token-delay", "0.5", "--token-lifetime", "10", "--latency", "0.1"),
            happened=lambda trial: {"401": trial.count(status=401)},
            holds=_never_two,
        ),
    ),
    Row(name="firewall", fault="a firewall's 403 page for a moment, and later for good", play=_firewall),
    Row(
        name="down",
        fault="API answers 503 to everything for a minute",
        seconds=OUTAGE,
        short=5.0,
        play=_meanwhile("503", begin={"down": True}, end={"down": False}, status=503),
    ),
    Row(
        name="closed",
        fault="API resets every connection for a minute",
        seconds=OUTAGE,
        short=5.0,
        play=_meanwhile("resets", begin={"closed": True}, end={"closed": False}, outcome="reset"),
    ),
    Row(name="away", fault="nothing listens for a minute", play=_away, seconds=OUTAGE, short=5.0),
    Row(
        name="down-for-good", fault=f"API down for longer than max_outage_seconds ({SHORT_OUTAGE})", play=_down_for_good
    ),
    Row(
        name="brown-out",
        fault="half of all answers are 503, and all take half a second, for ten minutes",
        seconds=BROWN_OUT,
        short=10.0,
        play=_meanwhile(
            "503", begin=BROWN, end={"error_share": 0.0, "latency": 0.02}, per_second=PER_SECOND, status=503
        ),
    ),
    Row(
        name="refused",
        fault="5 % of events refused, max_reject_percent 100",
        play=_throughout(
            *("--refuse-share", "0.05"),
            happened=lambda trial: {"422": trial.count(status=422)},
            max_reject_percent=100,
        ),
    ),
    Row(
        name="refused-over",
        fault="20 % of events refused, max_reject_percent 5",
        play=_throughout("--refuse-share", "0.2", codes=(6,), happened=lambda trial: {"422": trial.count(status=422)}),
    ),
]
