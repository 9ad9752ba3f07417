package bench

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// settled is how long a worker is left alone before it counts as idle: its polls are out, what
// starting left is collected.
const settled = 20 * time.Second

// BenchmarkWorker_Idle measures the memory of the real worker program on the whole embedded stack,
// with nothing to do.
func BenchmarkWorker_Idle(b *testing.B) {
	dir := b.TempDir()
	start(b, exec.Command(filepath.Join(bin, "local"), "stack", "--data", dir, "--port-offset", freeOffset(b)))
	var settings map[string]string
	eventually(b, "the stack is up", func() (up bool) {
		var err error
		settings, err = godotenv.Read(filepath.Join(dir, "stack.env"))
		return err == nil
	})
	cmd := exec.Command(filepath.Join(bin, "workers"))
	cmd.Dir, cmd.Env = dir, os.Environ()
	for name, value := range settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "PINFLOW_LOG_LEVEL=error")
	w := start(b, cmd)
	for b.Loop() {
		eventually(b, "the worker is healthy", func() bool {
			answer, err := http.Get("http://" + settings["PINFLOW_WORKER_ADDRESS"] + "/healthz")
			if err != nil {
				return false
			}
			answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
		time.Sleep(settled)
		m := memoryOf(b, w)
		b.ReportMetric(float64(m.now)/1e6, "MB")
		results.add("< 50 MB", "idle worker (bin/workers): memory, of which not the program's file", "%s, %s", mb(m.now), mb(m.anonymous))
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkWorker_ThousandRunsInFlight measures the worker's memory with 1,000 runs that wait in
// their first task, and lets them end.
func BenchmarkWorker_ThousandRunsInFlight(b *testing.B) {
	const runs = 1000
	w := newWorld(b)
	idle := memoryOf(b, w.worker)
	for b.Loop() {
		to := dates.Of(time.Now())
		var handles [runs]client.WorkflowRun
		w.each(b, runs, func(i int) (err error) {
			handles[i], err = runOf(parkedDAG, to.Add(-i-1))(b, w)
			return err
		})
		w.each(b, runs, func(i int) error { // a run that answers has been taken by the worker, and is held in its memory
			answer, err := w.QueryWorkflow(b.Context(), handles[i].GetID(), "", run.StatusQuery)
			if err != nil {
				return err
			}
			var status run.Status
			require.NoError(b, answer.Get(&status))
			require.Equal(b, run.Running, status.Tasks[0].State)
			return nil
		})
		flight := memoryOf(b, w.worker)
		began := time.Now()
		w.each(b, runs, func(i int) error { return w.SignalWorkflow(b.Context(), handles[i].GetID(), "", goOn, nil) })
		w.each(b, runs, func(i int) error { return handles[i].Get(b.Context(), nil) })
		took, after := time.Since(began), memoryOf(b, w.worker)
		b.ReportMetric(float64(flight.now)/1e6, "MB")
		results.add("", "worker with 1,000 runs in flight: memory, without any", "%s, %s", mb(flight.now), mb(idle.now))
		results.add("all end", "1,000 runs continue at the same moment: ended, after, peak memory of the worker", "%s, %.1f s, %s", w.completed(b), took.Seconds(), mb(after.peak))
	}
	b.ReportMetric(0, "ns/op")
}

// each does something for each of so many, some at a time.
func (w world) each(b *testing.B, count int, do func(i int) error) {
	b.Helper()
	var group errgroup.Group
	group.SetLimit(32)
	for i := range count {
		group.Go(func() error { return do(i) })
	}
	require.NoError(b, group.Wait())
}

// completed counts the runs that have ended well.
func (w world) completed(b *testing.B) string {
	b.Helper()
	var done int64
	eventually(b, "visibility knows that all have ended", func() bool {
		count := func(status string) int64 {
			answer, err := w.CountWorkflow(b.Context(), &workflowservice.CountWorkflowExecutionsRequest{
				Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = '%s'", run.RunWorkflow, status),
			})
			require.NoError(b, err)
			return answer.Count
		}
		done = count("Completed")
		return count("Running") == 0
	})
	return strconv.FormatInt(done, 10)
}

// freeOffset finds an offset at which the default ports of the stack and the worker are free.
func freeOffset(b *testing.B) string {
	for offset := 2000 + os.Getpid()%1000*7; offset < 50_000; offset += 97 {
		free := true
		for _, port := range []int{7233, 8233, 9092, 9000, 8090, 9464} {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset))
			if free = free && err == nil; err == nil {
				listener.Close()
			}
		}
		if free {
			return strconv.Itoa(offset)
		}
	}
	b.Fatal("no free ports")
	return ""
}
