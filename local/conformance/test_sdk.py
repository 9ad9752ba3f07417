"""The Databricks SDK for Python against the embedded workspace."""

import base64
import concurrent.futures
import unittest

import requests
from databricks.sdk.errors import InvalidParameterValue, NotFound, OperationFailed, PermissionDenied, ResourceDoesNotExist
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs, sql
from databricks.sdk.service.workspace import ImportFormat, ObjectType

from workspace import TOKEN, WAREHOUSE, Workspace

ENDLESS = "SELECT count(*) FROM range(100000000) AS a, range(100000000) AS b"


class WorkspaceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = Workspace()
        cls.client = cls.workspace.client

    @classmethod
    def tearDownClass(cls):
        cls.workspace.stop()


class TestRuns(WorkspaceTest):
    def test_submit_waits_for_the_end(self):
        self.workspace.notebook("/Shared/one", "SELECT :day AS day")
        run = self.workspace.submit("/Shared/one", {"day": "2022-10-18"}, run_name="daily").result()
        self.assertEqual(run.state.result_state, jobs.RunResultState.SUCCESS)
        self.assertEqual(run.run_name, "daily")
        output = self.client.jobs.get_run_output(run.tasks[0].run_id)
        self.assertIsNone(output.error)

    def test_a_token_starts_one_run(self):
        self.workspace.notebook("/Shared/one", "SELECT 1")
        first = self.workspace.submit("/Shared/one", idempotency_token="token")
        again = self.workspace.submit("/Shared/one", idempotency_token="token")
        self.assertEqual(first.response.run_id, again.response.run_id)
        with self.assertRaises(InvalidParameterValue):
            self.workspace.submit("/Shared/one", idempotency_token="x" * 65)

    def test_a_failed_notebook_has_error_and_trace(self):
        self.workspace.notebook("/Shared/broken", "SELECT 1", "SELECT missing FROM nowhere")
        waiter = self.workspace.submit("/Shared/broken")
        with self.assertRaises(OperationFailed):
            waiter.result()
        run = self.client.jobs.get_run(waiter.response.run_id)
        self.assertEqual(run.state.result_state, jobs.RunResultState.FAILED)
        output = self.client.jobs.get_run_output(run.tasks[0].run_id)
        self.assertIn("nowhere", output.error)
        self.assertIn("cell 2, statement 1", output.error_trace)

    def test_cancel_ends_a_run(self):
        self.workspace.notebook("/Shared/endless", ENDLESS)
        run_id = self.workspace.submit("/Shared/endless").response.run_id
        run = self.client.jobs.cancel_run_and_wait(run_id)
        self.assertEqual(run.state.result_state, jobs.RunResultState.CANCELED)

    def test_lists_all_pages(self):
        self.workspace.notebook("/Shared/one", "SELECT 1")
        started = {self.workspace.submit("/Shared/one").result().run_id for _ in range(3)}
        listed = [run.run_id for run in self.client.jobs.list_runs(limit=2)]
        self.assertLessEqual(started, set(listed))
        self.assertEqual(listed, sorted(listed, reverse=True))

    def test_an_unknown_run_does_not_exist(self):
        with self.assertRaises((ResourceDoesNotExist, InvalidParameterValue)):
            self.client.jobs.get_run(987654)

    def test_parameters_of_a_get_may_be_json(self):
        self.workspace.notebook("/Shared/one", "SELECT 1")
        run_id = self.workspace.submit("/Shared/one").result().run_id
        answer = requests.get(self.workspace.url + "/api/2.2/jobs/runs/get", json={"run_id": run_id}, headers={"Authorization": "Bearer " + TOKEN}, timeout=10)
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(answer.json()["run_id"], run_id)

    def test_a_parameter_that_is_no_text_is_named(self):
        with self.assertRaises(InvalidParameterValue) as refused:
            self.workspace.submit("/Shared/one", {"a": 1})
        self.assertIn("base_parameters.a must be a text, and is a number", str(refused.exception))

    def test_a_wrong_token_is_refused(self):
        stranger = WorkspaceClient(host=self.workspace.url, token="dapi-wrong", auth_type="pat", config_file="/dev/null")
        with self.assertRaises(PermissionDenied):
            stranger.jobs.get_run(1)


class TestFiles(WorkspaceTest):
    def test_notebooks_and_files(self):
        self.client.workspace.mkdirs("/Shared/files/deep")
        self.workspace.notebook("/Shared/files/clean", "SELECT 1")
        self.client.workspace.upload("/Shared/files/notes.txt", b"notes", format=ImportFormat.AUTO)
        found = {item.path: item.object_type for item in self.client.workspace.list("/Shared/files")}
        self.assertEqual(found, {
            "/Shared/files/clean": ObjectType.NOTEBOOK, "/Shared/files/deep": ObjectType.DIRECTORY, "/Shared/files/notes.txt": ObjectType.FILE,
        })
        source = base64.b64decode(self.client.workspace.export("/Shared/files/clean").content).decode()
        self.assertIn("SELECT 1", source)
        self.assertEqual(self.client.workspace.download("/Shared/files/notes.txt").read(), b"notes")
        self.client.workspace.delete("/Shared/files", recursive=True)
        with self.assertRaises(NotFound):
            self.client.workspace.get_status("/Shared/files")


class TestStatements(WorkspaceTest):
    def test_parameters_are_bound(self):
        response = self.workspace.sql("SELECT :n + 1 AS n, :word AS word", parameters=[
            sql.StatementParameterListItem(name="n", value="41", type="INT"), sql.StatementParameterListItem(name="word", value="it's"),
        ])
        self.assertEqual(response.result.data_array, [["42", "it's"]])

    def test_an_unknown_catalog_fails_the_statement(self):
        self.assertEqual(self.workspace.sql("SELECT 1", catalog="warehouse").status.state, sql.StatementState.SUCCEEDED)
        response = self.workspace.sql("SELECT 1", catalog="main")
        self.assertEqual(response.status.state, sql.StatementState.FAILED)
        self.assertIn("[NO_SUCH_CATALOG_EXCEPTION] Catalog 'main' was not found", response.status.error.message)

    def test_an_unbound_parameter_is_named(self):
        message = self.workspace.sql("SELECT :day").status.error.message
        self.assertIn("[UNBOUND_SQL_PARAMETER] Found the unbound parameter: day", message)
        self.assertIn("parameters of the statement", message)

    def test_cancel(self):
        statement = self.workspace.sql(ENDLESS, wait_timeout="0s").statement_id
        self.client.statement_execution.cancel_execution(statement)
        while (state := self.client.statement_execution.get_statement(statement).status.state) in (sql.StatementState.PENDING, sql.StatementState.RUNNING):
            pass
        self.assertEqual(state, sql.StatementState.CANCELED)
        with self.assertRaises(NotFound):
            self.client.statement_execution.cancel_execution("00000000-0000-4000-8000-000000000000")

    def test_large_results_have_chunks(self):
        response = self.workspace.sql("SELECT id, repeat('x', 1000) AS text FROM range(12000)")
        self.assertGreater(response.manifest.total_chunk_count, 1)
        rows, chunk = 0, response.result
        while chunk:
            rows += len(chunk.data_array)
            following = chunk.next_chunk_index
            chunk = self.client.statement_execution.get_statement_result_chunk_n(response.statement_id, following) if following else None
        self.assertEqual(rows, 12000)


class TestCommonSQL(WorkspaceTest):
    def test_rows_and_columns(self):
        self.workspace.rows("CREATE TABLE typed (id BIGINT, name STRING, tags ARRAY<STRING>, counts MAP<STRING, INT>)")
        for statement, columns, rows in [
            ("SELECT id FROM range(2)", ["id"], [["0"], ["1"]]),
            ("SELECT count(*) FROM range(3)", ["count(1)"], [["3"]]),
            ("SELECT date_format(DATE '2022-10-18', 'dd.MM.yyyy') AS d", ["d"], [["18.10.2022"]]),
            ("SELECT size(array(1, 2)) AS s, 7 DIV 2 AS d", ["s", "d"], [["2", "3"]]),
            ("SELECT 7.5 DIV 2 AS a, -7.5 DIV 2 AS b, 0.3 DIV 0.1 AS c", ["a", "b", "c"], [["3", "-3", "3"]]),
            ("SELECT size(m) AS s FROM (SELECT map('a', 1, 'b', 2) AS m)", ["s"], [["2"]]),
            ("SELECT map('a', 1) AS m, named_struct('b', 2) AS s", ["m", "s"], [['{"a":"1"}', '{"b":"2"}']]),
            ("SELECT percentile_approx(id, 0.5) AS p FROM range(5)", ["p"], [["2"]]),
            ("SHOW TABLES IN main LIKE 'typed'", ["database", "tableName", "isTemporary"], [["main", "typed", "false"]]),
            ("DESCRIBE typed", ["col_name", "data_type", "comment"],
             [["id", "bigint", None], ["name", "string", None], ["tags", "array<string>", None], ["counts", "map<string,int>", None]]),
        ]:
            with self.subTest(statement):
                response = self.workspace.sql(statement)
                self.assertIsNone(response.status.error)
                self.assertEqual([column.name for column in response.manifest.schema.columns], columns)
                self.assertEqual(response.result.data_array, rows)

    def test_what_is_not_translated_is_refused_by_name(self):
        for statement, name in [("SELECT initcap('a')", "`initcap`"), ("OPTIMIZE typed", "OPTIMIZE"), ("SELECT 'a' RLIKE 'b'", "RLIKE")]:
            message = self.workspace.sql(statement).status.error.message
            self.assertIn(name, message)
            self.assertIn("not translated", message)


class TestCompute(WorkspaceTest):
    def test_warehouses(self):
        warehouses = list(self.client.warehouses.list())
        self.assertEqual([w.id for w in warehouses], [WAREHOUSE])
        self.assertEqual(self.client.warehouses.get(WAREHOUSE).state, sql.State.RUNNING)
        self.assertEqual(self.client.warehouses.start_and_wait(WAREHOUSE).state, sql.State.RUNNING)
        with self.assertRaises(NotFound):
            self.client.warehouses.get("other")

    def test_spark_versions(self):
        self.assertTrue(self.client.clusters.select_spark_version(long_term_support=True, latest=True))


class TestConcurrentWrites(WorkspaceTest):
    MERGE = """MERGE INTO {table} AS t USING (SELECT id AS k, '{value}' AS v FROM range(2000)) AS s ON t.k = s.k
        WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"""

    def test_merges_never_insert_a_key_twice(self):
        conflicts = 0
        for attempt in range(10):
            table = f"merged_{attempt}"
            self.workspace.rows(f"CREATE TABLE {table} (k BIGINT, v STRING)")
            for name in "ab":
                self.workspace.notebook(f"/Shared/merge_{name}", self.MERGE.format(table=table, value=name))
            waiters = [self.workspace.submit(f"/Shared/merge_{name}") for name in "ab"]
            for waiter in waiters:
                try:
                    waiter.result()
                except OperationFailed:
                    run = self.client.jobs.get_run(waiter.response.run_id)
                    error = self.client.jobs.get_run_output(run.tasks[0].run_id).error
                    self.assertRegex(error, r"^\[DELTA_CONCURRENT_(APPEND|DELETE_READ)\.")
                    conflicts += 1
            self.assertEqual(self.workspace.rows(f"SELECT count(*), count(DISTINCT k), count(DISTINCT v) FROM {table}"), [["2000", "2000", "1"]])
        self.assertGreater(conflicts, 0, "the notebooks never met")

    def test_retries_end_with_the_right_rows(self):
        self.workspace.rows("CREATE TABLE counted (k BIGINT, n BIGINT)")
        merge = """MERGE INTO counted AS t USING (SELECT explode(array(0, {date})) AS k, 1 AS n) AS s ON t.k = s.k
            WHEN MATCHED THEN UPDATE SET n = t.n + s.n WHEN NOT MATCHED THEN INSERT *"""

        def backfill(date):
            for _ in range(100):
                status = self.workspace.sql(merge.format(date=date)).status
                if status.state == sql.StatementState.SUCCEEDED:
                    return
                self.assertIn("[DELTA_CONCURRENT_APPEND", status.error.message)
            self.fail(f"date {date} lost every time")

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            list(pool.map(backfill, range(1, 11)))
        self.assertEqual(self.workspace.rows("SELECT n FROM counted WHERE k = 0"), [["10"]])
        self.assertEqual(self.workspace.rows("SELECT count(*), count(DISTINCT k) FROM counted"), [["11", "11"]])

    def test_replace_where_of_other_dates_never_conflicts(self):
        self.workspace.rows("CREATE TABLE cleaned (d INT, v INT)")
        replace = "INSERT INTO cleaned REPLACE WHERE d IN ({date}) SELECT {date}, id FROM range(1000)"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for response in pool.map(lambda date: self.workspace.sql(replace.format(date=date % 8)), range(8)):
                self.assertIsNone(response.status.error)
        self.assertEqual(self.workspace.rows("SELECT count(*), count(DISTINCT d) FROM cleaned"), [["8000", "8"]])

    def test_appends_never_conflict(self):
        self.workspace.rows("CREATE TABLE appended (v BIGINT)")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for response in pool.map(lambda _: self.workspace.sql("INSERT INTO appended SELECT id FROM range(1000)"), range(8)):
                self.assertIsNone(response.status.error)
        self.assertEqual(self.workspace.rows("SELECT count(*) FROM appended"), [["8000"]])


if __name__ == "__main__":
    unittest.main()
