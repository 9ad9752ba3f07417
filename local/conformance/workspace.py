"""Starts an embedded workspace for a test: the program bin/local, as it is."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading

from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs
from databricks.sdk.service.workspace import ImportFormat, Language

TOKEN = "dapi-conformance"
WAREHOUSE = "local"
HEADER = "-- Databricks notebook source\n"


class Workspace:
    """A workspace on a free port with an empty data directory. Call stop at the end."""

    def __init__(self):
        self.data = tempfile.mkdtemp(prefix="workspace-")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "AWS_"))}
        environment |= {
            "DATABRICKS_TOKEN": TOKEN,
            "PINFLOW_WAREHOUSE_ID": WAREHOUSE,
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",  # these tests read no objects
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local-secret",
        }
        self.process = subprocess.Popen(
            [os.environ["PINFLOW_LOCAL"], "workspace", "--address", "127.0.0.1:0", "--data", self.data],
            env=environment, stderr=subprocess.PIPE, text=True,
        )
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if "listening" in line:
                self.url = json.loads(line)["url"]
                break
        else:
            raise RuntimeError("the workspace did not start:\n" + "".join(self.log))
        self.port = int(self.url.rsplit(":", 1)[1])
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()
        self.client = WorkspaceClient(host=self.url, token=TOKEN, auth_type="pat", config_file=os.devnull)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
        self.reader.join()
        self.process.stderr.close()
        shutil.rmtree(self.data)

    def notebook(self, path, *statements):
        """Imports a SQL notebook with a cell for each statement."""
        source = HEADER + "\n\n-- COMMAND ----------\n\n".join(statements)
        self.client.workspace.import_(
            path, content=base64.b64encode(source.encode()).decode(), format=ImportFormat.SOURCE, language=Language.SQL, overwrite=True,
        )

    def sql(self, statement, **options):
        """Executes a statement and returns the response."""
        return self.client.statement_execution.execute_statement(statement=statement, warehouse_id=WAREHOUSE, **options)

    def rows(self, statement):
        """Returns the rows of a statement, as texts."""
        response = self.sql(statement)
        if response.status.error:
            raise AssertionError(f"{statement}: {response.status.error.message}")
        return response.result.data_array or []

    def submit(self, path, parameters=None, **options):
        """Starts a run of one notebook and returns the SDK's waiter."""
        task = jobs.SubmitTask(task_key="task", notebook_task=jobs.NotebookTask(notebook_path=path, base_parameters=parameters))
        return self.client.jobs.submit(tasks=[task], **options)
