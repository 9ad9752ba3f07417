package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/internal/pause"
)

// workspace is the Jobs API of Databricks in memory. Each GetRun returns the next state of the run.
type workspace struct {
	mu        sync.Mutex
	runs      map[int64]*fakeRun
	tokens    map[string]int64
	submitted []jobs.SubmitRun
	cancelled []int64
	calls     []string
	script    []jobs.RunState // states of the next run, the last one stays; SUCCESS at once if empty
	output    jobs.RunOutput
	fault     func(request string) error
	lost      func(request string) error // fails a request after it had its effect
	// submitting fails the request to submit after it had its effect, by the context of the request.
	submitting func(context.Context) error
}

type fakeRun struct {
	name, key string
	notebook  *jobs.NotebookTask
	states    []jobs.RunState
}

func newWorkspace() *workspace {
	return &workspace{runs: map[int64]*fakeRun{}, tokens: map[string]int64{}}
}

func ended(result jobs.RunResultState) jobs.RunState {
	return jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateTerminated, ResultState: result}
}

var running = jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateRunning}

func (w *workspace) begin(request string) error {
	w.calls = append(w.calls, request)
	if w.fault != nil {
		return w.fault(request)
	}
	return nil
}

func (w *workspace) Submit(ctx context.Context, run jobs.SubmitRun) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin("submit"); err != nil {
		return 0, err
	}
	w.submitted = append(w.submitted, run)
	id, ok := w.tokens[run.IdempotencyToken]
	if !ok {
		id = int64(len(w.runs) + 1)
		w.tokens[run.IdempotencyToken] = id
		states := w.script
		if len(states) == 0 {
			states = []jobs.RunState{ended(jobs.RunResultStateSuccess)}
		}
		w.runs[id] = &fakeRun{name: run.RunName, key: run.Tasks[0].TaskKey, notebook: run.Tasks[0].NotebookTask, states: states}
	}
	if w.lost != nil {
		return 0, w.lost("submit")
	}
	if w.submitting != nil {
		if err := w.submitting(ctx); err != nil {
			return 0, err
		}
	}
	return id, nil
}

func (w *workspace) GetRun(_ context.Context, id int64) (*jobs.Run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin("get"); err != nil {
		return nil, err
	}
	run, ok := w.runs[id]
	if !ok {
		return nil, notFound(fmt.Sprintf("run %d does not exist", id))
	}
	state := run.states[0]
	if len(run.states) > 1 {
		run.states = run.states[1:]
	}
	return &jobs.Run{
		RunId: id, RunName: run.name, RunPageUrl: fmt.Sprintf("https://workspace/run/%d", id), State: &state, RunDuration: 1500,
		Tasks: []jobs.RunTask{{RunId: 1000 + id, TaskKey: run.key, State: &state, NotebookTask: run.notebook}},
	}, nil
}

func (w *workspace) GetRunOutput(context.Context, int64) (*jobs.RunOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin("output"); err != nil {
		return nil, err
	}
	output := w.output
	return &output, nil
}

func (w *workspace) CancelRun(_ context.Context, id int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin("cancel"); err != nil {
		return err
	}
	w.cancelled = append(w.cancelled, id)
	if run := w.runs[id]; !hasEnded(&jobs.Run{State: &run.states[0]}) {
		run.states = []jobs.RunState{{LifeCycleState: jobs.RunLifeCycleStateTerminating}, ended(jobs.RunResultStateCanceled)}
	}
	return nil
}

func (w *workspace) ActiveRuns(context.Context) listing.Iterator[jobs.BaseRun] {
	page := func(context.Context, struct{}) ([]jobs.BaseRun, error) { return w.activeRuns() }
	return listing.NewIterator(&struct{}{}, page, func(runs []jobs.BaseRun) []jobs.BaseRun { return runs }, nil)
}

func (w *workspace) activeRuns() ([]jobs.BaseRun, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin("list"); err != nil {
		return nil, err
	}
	var active []jobs.BaseRun
	for id, run := range w.runs {
		if !hasEnded(&jobs.Run{State: &run.states[0]}) {
			active = append(active, jobs.BaseRun{RunId: id, RunName: run.name})
		}
	}
	return active, nil
}

// hand is a clock that only waiting advances. It records the waits.
type hand struct {
	mu     sync.Mutex
	waits  []time.Duration
	onWait func()
}

func (h *hand) clock() pause.Clock {
	return pause.Clock{Wait: func(ctx context.Context, pause time.Duration) error {
		h.mu.Lock()
		h.waits = append(h.waits, pause)
		hook := h.onWait
		h.mu.Unlock()
		if hook != nil {
			hook()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}}
}

func (h *hand) waited() (sum time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, wait := range h.waits {
		sum += wait
	}
	return sum
}

func (w *workspace) Source(_ context.Context, path string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin("source"); err != nil {
		return "", err
	}
	return "-- Databricks notebook source\nSELECT '" + path + "'", nil
}
