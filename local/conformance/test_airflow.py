"""Airflow's Databricks operators against the embedded workspace, run as Airflow's worker and triggerer run them."""

import asyncio
import concurrent.futures
import json
import logging
import os
import time
import unittest
from unittest import mock

from workspace import TOKEN, WAREHOUSE, Workspace

from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import (
    DatabricksNotebookOperator,
    DatabricksSQLStatementsOperator,
    DatabricksSubmitRunOperator,
)

ENDLESS = "SELECT count(*) FROM range(100000000) AS a, range(100000000) AS b"


def context():
    """A task's context, as far as the operators use it."""
    return {"ti": mock.MagicMock(try_number=1), "task_instance": mock.MagicMock(), "run_id": "manual", "ds": "2022-10-18"}


def execute(operator):
    """Executes an operator; a deferred one as the triggerer does: until its trigger fires."""
    operator.polling_period_seconds = 0.05
    try:
        return operator.execute(context())
    except TaskDeferred as deferred:
        async def fire():
            async for event in deferred.trigger.run():
                return event
        event = asyncio.run(fire())
        return getattr(operator, deferred.method_name)(context(), event=event.payload)


class AirflowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        logging.getLogger("airflow").setLevel(logging.CRITICAL)
        cls.workspace = Workspace()
        os.environ["AIRFLOW_CONN_DATABRICKS_DEFAULT"] = json.dumps({
            "conn_type": "databricks", "host": "127.0.0.1", "port": cls.workspace.port, "schema": "http", "password": TOKEN,
        })
        for name in ("load", "clean_pin", "clean_geo", "clean_user", "query"):
            cls.workspace.notebook(f"/Shared/{name}", "SELECT :logical_date")
        cls.workspace.notebook("/Shared/broken", "SELECT missing FROM nowhere")
        cls.workspace.notebook("/Shared/endless", ENDLESS)

    @classmethod
    def tearDownClass(cls):
        cls.workspace.stop()

    def submit(self, path, **options):
        options.setdefault("tasks", [{"task_key": "task", "notebook_task": {"notebook_path": path, "base_parameters": {"logical_date": "2022-10-18"}}}])
        return DatabricksSubmitRunOperator(task_id="submit", **options)

    def notebook(self, path, **options):
        return DatabricksNotebookOperator(
            task_id="notebook", notebook_path=path, source="WORKSPACE", existing_cluster_id="any", notebook_params={"logical_date": "2022-10-18"}, **options,
        )


class TestOperators(AirflowTest):
    def test_connection(self):
        self.assertEqual(DatabricksHook().test_connection(), (True, "Connection successfully tested"))

    def test_submit_run_of_tasks(self):
        for deferrable in (False, True):
            with self.subTest(deferrable=deferrable):
                operator = self.submit("/Shared/load", deferrable=deferrable)
                execute(operator)
                self.assertTrue(DatabricksHook().get_run_state(operator.run_id).is_successful)

    def test_submit_run_of_a_notebook_task(self):
        for deferrable in (False, True):
            with self.subTest(deferrable=deferrable):
                operator = self.submit("", tasks=None, notebook_task={"notebook_path": "/Shared/load", "base_parameters": {"logical_date": "2022-10-18"}}, deferrable=deferrable)
                execute(operator)
                self.assertTrue(DatabricksHook().get_run_state(operator.run_id).is_successful)

    def test_submit_run_of_the_dag(self):
        tasks = [{"task_key": "load"}, *({"task_key": "clean_" + kind, "depends_on": [{"task_key": "load"}]} for kind in ("pin", "geo", "user")),
                 {"task_key": "query", "depends_on": [{"task_key": "clean_" + kind} for kind in ("pin", "geo", "user")]}]
        for task in tasks:
            task["notebook_task"] = {"notebook_path": "/Shared/" + task["task_key"], "base_parameters": {"logical_date": "2022-10-18"}}
        operator = self.submit("", tasks=tasks, deferrable=True)
        execute(operator)
        states = {task["task_key"]: task["state"]["result_state"] for task in DatabricksHook().get_run(operator.run_id)["tasks"]}
        self.assertEqual(states, dict.fromkeys(("load", "clean_pin", "clean_geo", "clean_user", "query"), "SUCCESS"))

    def test_a_failed_notebook_fails_the_task_with_its_error(self):
        for deferrable in (False, True):
            for operator in (self.submit("/Shared/broken", deferrable=deferrable), self.notebook("/Shared/broken", deferrable=deferrable)):
                with self.subTest(operator=type(operator).__name__, deferrable=deferrable), self.assertRaises(AirflowException) as failed:
                    execute(operator)
                self.assertIn("nowhere", str(failed.exception))

    def test_notebook_operator(self):
        for deferrable in (False, True):
            with self.subTest(deferrable=deferrable):
                operator = self.notebook("/Shared/clean_pin", deferrable=deferrable)
                execute(operator)
                self.assertTrue(DatabricksHook().get_run_state(operator.databricks_run_id).is_successful)

    def test_a_killed_task_cancels_its_run(self):
        operator = self.submit("/Shared/endless", wait_for_termination=False)
        execute(operator)
        operator.on_kill()
        hook = DatabricksHook()
        while not (state := hook.get_run_state(operator.run_id)).is_terminal:
            time.sleep(0.05)
        self.assertEqual(state.result_state, "CANCELED")

    def test_a_retry_after_a_crash_rejoins_the_run(self):
        started = self.submit("/Shared/load")
        run_id = started.submit_job(context())  # the worker dies here, after Airflow has saved the id
        store = {started.external_id_key: run_id}
        retried = self.submit("/Shared/load")
        retried.polling_period_seconds = 0.05
        retried.execute(context() | {"task_state_store": mock.MagicMock(get=store.get)})
        newest = next(iter(self.workspace.client.jobs.list_runs(limit=1))).run_id
        self.assertEqual(newest, run_id, "no second run")

    def test_sql_statements_operator(self):
        for deferrable in (False, True):
            with self.subTest(deferrable=deferrable):
                execute(DatabricksSQLStatementsOperator(task_id="sql", statement="SELECT :n", warehouse_id=WAREHOUSE, deferrable=deferrable,
                                                        parameters=[{"name": "n", "value": "1", "type": "INT"}]))
            with self.subTest(deferrable=deferrable, catalog="unknown"), self.assertRaises(AirflowException) as failed:
                execute(DatabricksSQLStatementsOperator(task_id="sql", statement="SELECT 1", warehouse_id=WAREHOUSE, deferrable=deferrable, catalog="nothing"))
            self.assertIn("NO_SUCH_CATALOG_EXCEPTION", str(failed.exception))


class TestBackfill(AirflowTest):
    """Ten dates at once without pools, each task with Airflow's retries: the answers are right, or the date is red."""

    def test_ten_dates_without_pools(self):
        self.workspace.rows("CREATE TABLE pin (ind BIGINT, logical_date INT)")
        self.workspace.notebook("/Shared/merge", """MERGE INTO pin AS t USING (SELECT id AS ind, CAST(:logical_date AS INT) AS logical_date FROM range(2000)) AS s
            ON t.ind = s.ind WHEN MATCHED AND s.logical_date >= t.logical_date THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *""")
        conflicts = []

        def run(date):
            for _ in range(50):
                try:
                    return execute(self.submit("/Shared/merge", deferrable=date % 2 == 0, tasks=[{
                        "task_key": "merge", "notebook_task": {"notebook_path": "/Shared/merge", "base_parameters": {"logical_date": str(date)}},
                    }]))
                except AirflowException as failed:
                    self.assertIn("DELTA_CONCURRENT_APPEND", str(failed))
                    conflicts.append(date)
            self.fail(f"{date} lost every time")

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            list(pool.map(run, range(1, 11)))
        self.assertEqual(self.workspace.rows("SELECT count(*), count(DISTINCT ind), min(logical_date) FROM pin"), [["2000", "2000", "10"]])
        print(f"ten dates at once: {len(conflicts)} conflicts, each retried", flush=True)


if __name__ == "__main__":
    unittest.main()
