"""A user's own program, in the environment that has Spark: `python -m tests.spark.program`, told by JSON on its input.

For each DataFrame that it is told of it prints a line of JSON: what was delivered, or why not.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from target_driftrock.errors import RunStopped, faults
from target_driftrock.spark import deliver


def main() -> None:
    """Deliver what standard input says, one DataFrame after the other."""
    told = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    builder = SparkSession.builder.master(told["master"])
    for name, value in told["conf"].items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel(told["log_level"])
    say({"ready": spark.sparkContext.uiWebUrl})
    for case in told["cases"]:
        if "folder" in case:
            follow(spark, case)
        else:
            say(outcome(spark, case))
    spark.stop()


def follow(spark: SparkSession, case: dict[str, Any]) -> None:
    """Deliver a folder's files as a stream, one in each batch, from where its checkpoint is."""
    folder, checkpoint = case.pop("folder"), case.pop("checkpoint")
    files = spark.readStream.schema(case.pop("columns")).option("maxFilesPerTrigger", 1).json(folder)

    def batch(df: DataFrame, number: int) -> None:
        receipt = json.loads(deliver(df, **case).as_json())
        say({"batch": number, "receipt": receipt})

    query = files.writeStream.foreachBatch(batch).option("checkpointLocation", checkpoint).trigger(availableNow=True)
    query.start().awaitTermination()
    say({"ended": True})


def outcome(spark: SparkSession, case: dict[str, Any]) -> dict[str, Any]:
    """What came of a DataFrame, which is that of a query."""
    df = spark.read.json(case.pop("json")) if "json" in case else spark.sql(case.pop("sql"))
    if case.pop("breaks_off", False):
        Thread(target=break_off, args=(spark,), daemon=True).start()
    if case.pop("has_a_loop", False):
        return asyncio.run(in_a_loop(df, case))
    return delivered(df, case)


async def in_a_loop(df: DataFrame, case: dict[str, Any]) -> dict[str, Any]:
    """As in a notebook."""
    return delivered(df, case)


def break_off(spark: SparkSession) -> None:
    """Once a file is there, have Spark kill the tasks that run, and begin others; then take the file away."""
    tracker, store = spark.sparkContext.statusTracker(), spark.sparkContext._jsc.sc().statusStore()  # noqa: SLF001
    asked = Path(os.environ["BREAK_OFF"])
    while not asked.exists():
        time.sleep(0.05)
    tasks = store.taskList(max(tracker.getActiveStageIds()), 0, 100)
    for task in (tasks.apply(number) for number in range(tasks.size())):
        if task.status() == "RUNNING":
            spark.sparkContext._jsc.sc().killTaskAttempt(task.taskId(), True, "by a test")  # noqa: SLF001, FBT003
    asked.unlink()


def delivered(df: DataFrame, case: dict[str, Any]) -> dict[str, Any]:
    """What came of it."""
    try:
        receipt = deliver(df, **case)
    except RunStopped as stop:
        return {"stop": type(stop).__name__, "code": int(stop.exit_code), "told": list(faults(stop))}
    return {"receipt": json.loads(receipt.as_json())}


def say(what: dict[str, Any]) -> None:
    """To whoever started us."""
    print(json.dumps(what), flush=True)  # noqa: T201 - to the test


if __name__ == "__main__":
    main()
