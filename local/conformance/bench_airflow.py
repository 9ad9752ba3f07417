"""Measures the daily DAG by Pinflow and by Airflow: the same notebooks, data and workspace. scripts/bench-airflow runs it.

The demo starts the stack, posts a day and runs the DAG once. Temporal and the worker that are measured are others beside
it, so that their memory is theirs alone. Airflow runs as `airflow standalone` does: all its processes, on SQLite.
"""

import datetime
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

OFFSET = 7000  # of the ports of the stack
TEMPORAL, WORKER, AIRFLOW = 18233, 18464, 18080
BIN = pathlib.Path(os.environ["PINFLOW_BIN"])
HERE = pathlib.Path(__file__).parent
BENCH = pathlib.Path(os.environ["PINFLOW_BENCH"])
RUNS = {"pinflow": 5, "each_second": 5, "by_default": 2}


def start(name, args, env):
    """Starts a program in a process group of its own; its output goes to a file."""
    log = open(BENCH / (name + ".log"), "w")
    return subprocess.Popen([str(arg) for arg in args], env=env, stdout=log, stderr=log, cwd=BENCH, start_new_session=True)


def stop(process):
    for by in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, by)
            process.wait(timeout=60)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def wait(what, check, process, seconds=180):
    """Waits until the check returns something, and returns it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            if found := check():
                return found
        except (OSError, urllib.error.URLError, ValueError):
            pass
        time.sleep(0.2)
    logs = "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in BENCH.glob("*.log"))
    sys.exit(f"waited in vain for {what}\n{logs}")


def settings(file):
    """The settings of the stack: lines of the form [export] NAME=value."""
    found = {}
    for line in file.read_text().splitlines():
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and not line.startswith("#"):
            found[name] = value.strip("'\"")
    return found


def starter(env, *args):
    done = subprocess.run([BIN / "starter", *args], env=env, cwd=BENCH, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"starter {' '.join(args)}: {done.stdout}{done.stderr}")
    return done.stdout


def memory(process, only=""):
    """The memory of a process and of those below it, in MB, and their number: what they share counts once (PSS). Only
    those whose command line has a text."""
    kilobytes, count = 0, 0
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (directory / "cmdline").read_text()
            if only in command and (os.getpgid(int(directory.name)) == process.pid or descends(int(directory.name), process.pid)):
                rollup = (directory / "smaps_rollup").read_text()
                kilobytes += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
                count += 1
        except (OSError, StopIteration):
            pass
    return kilobytes / 1024, count


def descends(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return False


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Airflow:
    """Airflow's REST API. The user is an admin: the simple auth manager with all_admins."""

    def __init__(self):
        self.url = f"http://127.0.0.1:{AIRFLOW}"
        self.token = None

    def call(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        if body is not None and path.startswith("/api/v2/dags/") and "dagRuns" not in path:
            request.method = "PATCH"
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def ready(self):
        self.token = self.call("/auth/token")["access_token"]
        names = {dag["dag_id"] for dag in self.call("/api/v2/dags")["dags"]}
        return {"each_second", "by_default"} <= names

    def run(self, dag):
        """Runs a DAG once and returns the seconds from the trigger to the end."""
        triggered = datetime.datetime.now(datetime.timezone.utc)
        started = self.call(f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})
        while True:
            found = self.call(f"/api/v2/dags/{dag}/dagRuns/{started['dag_run_id']}")
            if found["state"] in ("success", "failed"):
                break
            time.sleep(0.5)
        if found["state"] != "success":
            sys.exit(f"Airflow's run of {dag} failed: see {BENCH}/airflow.log")
        return (moment(found["end_date"]) - triggered).total_seconds()


def pinflow(env, date):
    """Runs the date again and returns the seconds from the trigger to the end."""
    triggered = datetime.datetime.now(datetime.timezone.utc)
    starter(env, "rerun", date, "--from", "load", "--wait")
    status = json.loads(starter(env, "status", date, "-o", "json"))
    if status["state"] != "success":
        sys.exit(f"Pinflow's run: {status}")
    return (moment(status["ended"]) - triggered).total_seconds()


def line(what, times):
    print(f"{what:50} {statistics.median(times):6.2f} s   {', '.join(f'{t:.2f}' for t in times)}", flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    processes = []
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "AWS_", "PINFLOW_", "TEMPORAL_"))}
    try:
        demo = start("demo", [BIN / "starter", "demo", "--data", BENCH / "stack", "--port-offset", OFFSET], env)
        processes.append(demo)
        file = BENCH / "stack" / "stack.env"
        wait("the demo", lambda: "Web UI" in (BENCH / "demo.log").read_text() and file.exists(), demo)
        env |= settings(file) | {"TEMPORAL_ADDRESS": f"127.0.0.1:{TEMPORAL}", "PINFLOW_WORKER_ADDRESS": f"127.0.0.1:{WORKER}"}
        env |= {"PINFLOW_STACK": str(BENCH / "stack"), "PINFLOW_SCHEMA": "pinterest", "PINFLOW_NOTEBOOKS": "/Shared/pinflow", "PINFLOW_USER_ID": "pinflow"}
        env["PINFLOW_RAW_PATH"] = "s3://pinflow/pinflow"

        temporal = start("temporal", [BIN / "local", "server", "start-dev", "--headless", "--port", TEMPORAL, "--db-filename", BENCH / "temporal.db"], env)
        processes.append(temporal)
        wait("Temporal", lambda: starter_quiet(env, "setup"), temporal)
        worker = start("worker", [BIN / "workers"], env)
        processes.append(worker)
        wait("the worker", lambda: urllib.request.urlopen(f"http://127.0.0.1:{WORKER}/healthz", timeout=5).status == 200, worker)
        date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        starter(env, "run", date, "--wait")
        line("Pinflow", [pinflow(env, date) for _ in range(RUNS["pinflow"])])
        for what, process in (("Pinflow's worker", worker), ("Temporal", temporal)):
            megabytes, count = memory(process)
            print(f"{what:50} {megabytes:6.0f} MB  {count} processes", flush=True)
        stop(worker)
        stop(temporal)

        env |= {
            "AIRFLOW_HOME": str(BENCH / "airflow"), "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True", "AIRFLOW__API__PORT": str(AIRFLOW), "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{AIRFLOW}/execution/", "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "18793", "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "18794",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False", "BENCH_DATE": date, "PATH": os.environ["AIRFLOW_BIN"] + ":" + os.environ["PATH"],
            "AIRFLOW_CONN_DATABRICKS_DEFAULT": json.dumps({
                "conn_type": "databricks", "host": "127.0.0.1", "port": 8090 + OFFSET, "schema": "http", "password": env["DATABRICKS_TOKEN"],
            }),
        }
        airflow = start("airflow", [os.environ["AIRFLOW_BIN"] + "/airflow", "standalone"], env)
        processes.append(airflow)
        api = Airflow()
        wait("Airflow", api.ready, airflow, 300)
        api.run("each_second")  # the first one imports
        line("Airflow, polling each second", [api.run("each_second") for _ in range(RUNS["each_second"])])
        line("Airflow, polling each 30 s, its default", [api.run("by_default") for _ in range(RUNS["by_default"])])
        for what, only in (("Airflow, on SQLite", ""), ("of these the workers of LocalExecutor", "LocalExecutor")):
            megabytes, count = memory(airflow, only)
            print(f"{what:50} {megabytes:6.0f} MB  {count} processes", flush=True)
    finally:
        for process in reversed(processes):
            stop(process)


def starter_quiet(env, *args):
    return subprocess.run([BIN / "starter", *args], env=env, cwd=BENCH, capture_output=True, timeout=60).returncode == 0


if __name__ == "__main__":
    main()
