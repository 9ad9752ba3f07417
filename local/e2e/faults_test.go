package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

func TestKill(t *testing.T) {
	t.Parallel()
	// Whatever is killed, what was acknowledged is there afterwards, once.
	t.Run("stack_worker_and_gateway_lose_nothing", func(t *testing.T) {
		onOwn.enter(t)
		s := startSystem(t)
		lines := wire.lines(t)
		s.post(lines, 0, 2)
		s.must("run", today(), "--wait")
		s.worker.kill()
		s.gate.kill()
		s.stack.kill()
		s.startStack()
		s.worker, s.gate = s.start("workers"), s.start("gateway")
		s.waitHealthy("PINFLOW_GATEWAY_URL", "")
		s.post(lines, 1, 2)
		s.must("run", today(), "--wait")
		requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
	})
}

// A run that is on its way when the worker is killed goes on with the next worker, and the DAG is
// run once.
func TestRunOfAKilledWorker(t *testing.T) {
	s := startTenant(t)
	s.post(wire.lines(t), 0, 1)
	s.must("run", today())
	s.worker.kill()
	s.worker = s.start("workers")
	t.Parallel() // the rest is waiting: see lanes_test.go
	c := s.temporal()
	s.eventually("the run has ended", func() bool {
		runs := s.executions(c, ago(0))
		return len(runs) == 1 && runs[0].CloseTime != nil
	})
	require.Equal(t, run.Success, s.statusOf(today()).State)
	requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
}

func TestRunThatFails(t *testing.T) {
	t.Parallel()
	// A notebook that fails: its task fails with the statement and the message, its siblings
	// finish, its child cannot run, and the exit code is 1.
	t.Run("broken_notebook", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.post(wire.lines(t), 0, 1)
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT nothing FROM nowhere")
		code, stdout, stderr := s.starter("run", today(), "--wait")
		require.Equal(t, 1, code, "%s\n%s", stdout, stderr)
		said := stdout + stderr
		require.Contains(t, said, "nowhere does not exist")
		require.Contains(t, said, "starter logs "+today()+" clean_geo")
		require.Contains(t, s.must("logs", today(), "clean_geo"), "SELECT nothing FROM nowhere")

		var run struct {
			State string
			Tasks []struct{ ID, State string }
		}
		code, stdout, _ = s.starter("status", today(), "-o", "json")
		require.Equal(t, 1, code, stdout)
		require.NoError(t, json.Unmarshal([]byte(stdout), &run))
		states := map[string]string{}
		for _, task := range run.Tasks {
			states[task.ID] = task.State
		}
		for id, want := range map[string]string{
			"load": "success", "clean_pin": "success", "clean_geo": "failed", "clean_user": "success", "query": "upstream_failed",
		} {
			require.Equal(t, want, states[id], id)
		}

		s.must("notebooks", "push")
		s.must("run", today(), "--wait", "--reprocess", "all")
		requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
	})
}

// breakNotebook puts another source in place of a notebook, as a user of the workspace might.
func (s *system) breakNotebook(name, source string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{
		"path": "/Shared/" + string(s.deployment()) + "/" + name, "format": "SOURCE", "language": "SQL", "overwrite": true,
		"content": base64.StdEncoding.EncodeToString([]byte(source)),
	})
	require.NoError(s.t, err)
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.setting("DATABRICKS_HOST")+"/api/2.0/workspace/import", strings.NewReader(string(body)))
	require.NoError(s.t, err)
	request.Header.Set("Authorization", "Bearer "+s.setting("DATABRICKS_TOKEN"))
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer drain(response.Body)
	require.Equal(s.t, http.StatusOK, response.StatusCode)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	t.Run("usage_errors", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{
			{"run", "yesteryear"}, {"run", "2022-13-01"}, {"run", "9999-01-01"},
			{"backfill", "--from", "2022-02-02", "--to", "2022-02-01"}, {"backfill", "--from", "x", "--to", "2022-02-01"},
			{"run", "2022-01-01", "--param", "nonsense=1"}, {"answers", "no_such_answer"}, {"nonsense"}, {"run", "--nonsense"},
		} {
			code, _, stderr := runProgram(t, t.TempDir(), nil, "starter", args...)
			require.Equal(t, 2, code, "starter %s\n%s", strings.Join(args, " "), stderr)
			require.NotEmpty(t, stderr)
		}
	})

	t.Run("unreachable_system", func(t *testing.T) {
		t.Parallel()
		code, _, stderr := runProgram(t, t.TempDir(), []string{"TEMPORAL_ADDRESS=127.0.0.1:1"}, "starter", "run", "2022-01-01", "--dag", workflows.Daily.Name)
		require.Equal(t, 3, code, stderr)
		require.Contains(t, stderr, "127.0.0.1:1")
	})

	t.Run("gateway_refuses_with_its_documented_code", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		const v2 = "application/vnd.kafka.json.v2+json"
		topics := "/topics/" + s.setting("PINFLOW_USER_ID") + "."
		pin := topics + "pin"
		good := []byte(`{"records":[{"value":{"index":1}}]}`)
		for _, c := range []struct {
			name, path, contentType string
			body                    []byte
			status                  int
		}{
			{"no JSON", pin, v2, []byte(`{"records":`), 400},
			{"no records", pin, v2, []byte(`{}`), 422},
			{"wrong content type", pin, "text/plain", good, 415},
			{"unknown topic", topics + "nothing", v2, good, 404},
			{"too large", pin, v2, []byte(`{"records":[{"value":"` + strings.Repeat("x", 11<<20) + `"}]}`), 413},
		} {
			status, answer := s.request(http.MethodPost, c.path, c.contentType, c.body)
			require.Equal(t, c.status, status, "%s: %s", c.name, answer)
			require.Contains(t, answer, "error_code", c.name)
		}
		response, err := http.Post(s.setting("PINFLOW_GATEWAY_URL")+pin, v2, strings.NewReader(string(good)))
		require.NoError(t, err)
		defer drain(response.Body)
		require.Contains(t, []int{401, 403}, response.StatusCode)
	})
}
