"""A user's own program, in the environment that has Spark: `python -m tests.spark.program`, told by JSON on its input.

For each DataFrame that it is told of it prints a line of JSON: what was delivered, or why not.
"""

from __future__ import annotations

import json
import logging
import sys
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
