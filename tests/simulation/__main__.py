"""`python -m tests.simulation`: stories by seed; failing seeds are printed, and end it with 1."""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import click

from tests.simulation.scenario import scenario
from tests.simulation.small import smallest
from tests.simulation.world import failing_seeds, tell

CHUNK = 100


@click.command("make simulate")
@click.option("--seeds", default=10_000, show_default=True, help="How many.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option("--jobs", type=int, help="Processes; as many as there are processors, if not said.")
@click.option("--seed", type=int, help="Only this one, made small where it fails, and told line by line.")
def simulate(seeds: int, first: int, jobs: int | None, seed: int | None) -> None:
    """Whole deliveries on virtual time, with crashes, by seed."""
    sys.exit(_search(seeds, first, jobs) if seed is None else _show(seed))


def _search(seeds: int, first: int, jobs: int | None) -> int:
    began = time.monotonic()
    failing = 0
    last = first + seeds
    quiet = partial(logging.disable, logging.ERROR)  # a story loses its ledger often, and each time the log says so
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=quiet) as pool:
        for found in pool.map(partial(failing_seeds, size=CHUNK, last=last), range(first, last, CHUNK)):
            for number, faults in found.items():
                click.echo(f"Seed {number}: {' '.join(faults[:3])}")
            failing += len(found)
    seconds = time.monotonic() - began
    click.echo(f"{seeds} seeds in {seconds:.0f} s ({seeds / seconds:.0f} a second), {failing} failing.")
    return min(1, failing)


def _show(seed: int) -> int:
    logging.disable(logging.ERROR)
    chosen = smallest(scenario(seed), seed=seed)
    click.echo(chosen)
    story = tell(chosen, seed=seed)
    click.echo("\n".join(story.trace.lines))
    click.echo("\n".join(story.faults) or f"All promises held, in {story.runs} runs.")
    return min(1, len(story.faults))


if __name__ == "__main__":
    simulate()
