"""Plots of what was kept: `python -m benchmarks.plots`, in `.venvs/bench`, which has matplotlib."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]  # where this runs it is there
from matplotlib import pyplot as plt

MEASUREMENTS = Path(__file__).parents[1] / "docs/measurements"
WHO = {"target-driftrock": "o-", "wrk": "x--"}


def main() -> None:
    """Draw whatever there is."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "target-driftrock"  # the same figures give the same file
    _draw("bench.json", "rates.svg", _rates)
    _draw("memory.json", "memory.svg", _memory)
    _draw("limits.json", "limits.svg", _limits)


def _draw(source: str, name: str, draw: Any) -> None:
    path = MEASUREMENTS / source
    if not path.exists():
        return
    figure = draw(json.loads(path.read_text(encoding="utf-8")))
    figure.savefig(MEASUREMENTS / name, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def _rates(sheet: dict[str, Any]) -> Any:
    """Rate over concurrency, a plot for each latency."""
    rates = [rate for rate in sheet["rates"] if rate["latency"] and rate["contestant"] in WHO]
    latencies = sorted({rate["latency"] for rate in rates})
    figure, plots = plt.subplots(1, len(latencies), figsize=(4 * len(latencies), 3.5), squeeze=False)
    for latency, plot in zip(latencies, plots[0], strict=True):
        _latency(plot, latency, [rate for rate in rates if rate["latency"] == latency])
    plots[0][0].set_ylabel("events a second")
    return figure


def _latency(plot: Any, latency: float, rates: list[dict[str, Any]]) -> None:
    connections = sorted({rate["connections"] for rate in rates})
    plot.plot(connections, [each / latency for each in connections], ":", color="grey", label="connections ÷ latency")
    for who, style in WHO.items():
        ours = sorted((rate for rate in rates if rate["contestant"] == who), key=lambda rate: int(rate["connections"]))
        medians = [statistics.median(rate["values"]) for rate in ours]
        plot.plot([rate["connections"] for rate in ours], medians, style, label=who)
    plot.set(title=f"{latency * 1000:.0f} ms", xlabel="connections", ylim=(0, None))
    plot.set_xscale("log", base=2)
    plot.set_xticks(connections, [str(each) for each in connections])
    plot.legend()


def _memory(sheet: dict[str, Any]) -> Any:
    """Peak memory over records."""
    peaks = sorted(sheet["peaks"], key=lambda peak: int(peak["records"]))
    figure, plot = plt.subplots(figsize=(6, 3.5))
    plot.plot([peak["records"] for peak in peaks], [peak["peak_mib"] for peak in peaks], "o-", label="target-driftrock")
    plot.axhline(sheet["bar_mib"], linestyle=":", color="grey", label=f"{sheet['bar_mib']:.0f} MiB")
    plot.set(xlabel="records", ylabel="peak MiB", ylim=(0, None), xscale="log")
    plot.legend(loc="lower right")
    return figure


def _limits(drawn: dict[str, Any]) -> Any:
    """The adaptive limit over time, and the rate that comes of it."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 4.5), sharex=True)
    above.step(drawn["moments"], drawn["limits"], where="post")
    above.set(ylabel="limit", ylim=(0, None))
    below.plot(drawn["moments"], drawn["rates"])
    below.set(xlabel="seconds", ylabel="accepted a second", ylim=(0, None))
    return figure


if __name__ == "__main__":
    main()
