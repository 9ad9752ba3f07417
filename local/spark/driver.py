"""Runs SQL on one Spark session with Delta. A request and a response are one line of JSON each.

Requests: {"id", "session", "settings", "sql", "limit"} runs a statement, and {"id", "cancel": id}
interrupts one. Sessions share tables; their temporary views and settings are their own. A response is
{"id", "columns", "rows"} or {"id", "error"}. The process ends with its standard input.
"""

import datetime
import decimal
import glob
import json
import os
import sys
import threading

responses = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # what Java prints goes to the log
lock = threading.Lock()


def respond(response):
    with lock:
        responses.write(json.dumps(response) + "\n")
        responses.flush()


def connect(options):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[%d]" % options["threads"]).appName("pinflow")
    for name, value in {
        "spark.jars": ",".join(sorted(glob.glob(os.path.join(options["jars"], "*.jar")))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": options["warehouse"],
        "spark.local.dir": options["scratch"],
        "spark.driver.memory": options["memory"],
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": options["java"],
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(options["threads"]),
        "spark.databricks.delta.snapshotPartitions": "2",
    }.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    # The catalog is in memory: the tables of an earlier process are registered again.
    for log in sorted(glob.glob(os.path.join(options["warehouse"], "*.db", "*", "_delta_log"))):
        table = os.path.dirname(log)
        schema, name = os.path.basename(os.path.dirname(table))[: -len(".db")], os.path.basename(table)
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{schema}`")
        spark.sql(f"CREATE TABLE IF NOT EXISTS `{schema}`.`{name}` USING DELTA LOCATION '{table}'")
    return spark


def plain(value):
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if hasattr(value, "asDict"):  # a struct
        return {name: plain(field) for name, field in value.asDict().items()}
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    return value


def message(error):
    for name in ("getMessage", "desc"):
        get = getattr(error, name, None)
        text = get() if callable(get) else get
        if text:
            return str(text).split("\nJVM stacktrace:")[0].strip()[:4000]
    return str(error)[:4000]


def run(spark, request):
    try:
        spark.sparkContext.setJobGroup(str(request["id"]), "pinflow", interruptOnCancel=True)
        frame = spark.sql(request["sql"])
        if request.get("limit"):
            frame = frame.limit(request["limit"])
        fields = [(field.name, field.dataType.simpleString().upper()) for field in frame.schema.fields]
        if any(kind == "TIMESTAMP" for _, kind in fields):
            # Python has no times before the year 1, as those near it are in some time zones.
            names = [f"c{i}" for i in range(len(fields))]
            micros = [f"unix_micros({n})" if kind == "TIMESTAMP" else n for n, (_, kind) in zip(names, fields)]
            frame = frame.toDF(*names).selectExpr(*micros)
        rows = [[plain(value) for value in row] for row in frame.collect()]
        respond({"id": request["id"], "columns": fields, "rows": rows})
    except Exception as error:  # whatever a statement does, the process goes on
        respond({"id": request["id"], "error": message(error)})


def main():
    spark = connect(json.loads(sys.argv[1]))
    sessions = {}
    respond({"id": 0})
    for line in sys.stdin:
        request = json.loads(line)
        if "cancel" in request:
            spark.sparkContext.cancelJobGroup(str(request["cancel"]))
            continue
        if "sql" not in request:
            sessions.pop(request["session"], None)
            continue
        if request["session"] not in sessions:
            session = sessions[request["session"]] = spark.newSession()
            for name, value in request.get("settings", {}).items():
                session.conf.set(name, value)
        threading.Thread(target=run, args=(sessions[request["session"]], request), daemon=True).start()
    os._exit(0)  # Java's threads would hold the process


if __name__ == "__main__":
    main()
