"""Run by a Python with pyspark: features.parquet, statement.sql and where the scores go, as often as there are three."""

import sys
from pathlib import Path

from pyspark.sql import SparkSession

QUIET = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.host": "127.0.0.1"}


def main(paths: list[str]) -> None:
    session = SparkSession.builder.master("local[2]").config(map=QUIET).getOrCreate()
    for features, statement, scores in zip(paths[::3], paths[1::3], paths[2::3], strict=True):
        session.read.parquet(features).createOrReplaceTempView("account_features")
        session.sql(Path(statement).read_text(encoding="utf-8")).write.parquet(scores)
    session.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
