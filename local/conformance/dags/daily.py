"""The daily DAG as one of Airflow: the same notebooks with the same parameters. bench_airflow.py sets the environment."""

import os

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.sdk import DAG

PARAMETERS = {
    "schema": os.environ["PINFLOW_SCHEMA"],
    "raw_path": os.environ["PINFLOW_RAW_PATH"],
    "user_id": os.environ["PINFLOW_USER_ID"],
    "logical_date": os.environ["BENCH_DATE"],
    "logical_dates": os.environ["BENCH_DATE"],
    "invalid_followers": "quarantine",
    "run_id": "{{ run_id }}",
    "notebook_hash": "",
}


def daily(name, **options):
    with DAG(name, schedule=None, catchup=False):
        def notebook(task):
            path = os.environ["PINFLOW_NOTEBOOKS"] + "/" + task
            return DatabricksSubmitRunOperator(task_id=task, tasks=[{
                "task_key": task, "notebook_task": {"notebook_path": path, "base_parameters": PARAMETERS},
            }], **options)

        notebook("load") >> [notebook("clean_pin"), notebook("clean_geo"), notebook("clean_user")] >> notebook("query")


daily("each_second", polling_period_seconds=1)
daily("by_default")
