// Package builds is what is known of the programs that do the work: which workers poll, of which
// build they are, and which builds start runs or have open ones. It changes and prints nothing.
package builds

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/term"
)

// Reader answers questions about the workers of a deployment.
type Reader struct {
	Deployment run.Deployment
	// Now is the clock.
	Now func() time.Time
}

// PollAge is how long ago a running worker may have polled. Temporal answers a poll without work
// after a minute, and the worker polls again at once; the rest is for the two clocks. Temporal still
// lists a worker for five minutes after it was killed.
const PollAge = time.Minute + 5*time.Second

// Worker is a worker that has polled the task queue within PollAge.
type Worker struct {
	Identity string `json:"identity"`
	// BuildID is the build of the worker, as in 0.1.0+abcdef1; empty for a program that does not
	// say it.
	BuildID string `json:"buildId,omitempty"`
	// Versioned reports whether the worker uses Worker Versioning.
	Versioned bool `json:"versioned,omitempty"`
	// Workflows and Activities report what it polls for.
	Workflows  bool `json:"workflows"`
	Activities bool `json:"activities"`
}

// Workers returns the workers that have polled the task queue within PollAge, by build and
// identity.
func (r *Reader) Workers(ctx context.Context, conn *temporal.Connection) ([]Worker, error) {
	var all []Worker
	for _, kind := range []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY} {
		queue, err := conn.DescribeTaskQueue(ctx, r.Deployment.TaskQueue(), kind)
		if err != nil {
			return nil, conn.Classify(err)
		}
		for _, poller := range queue.GetPollers() {
			if r.Now().Sub(poller.GetLastAccessTime().AsTime()) > PollAge {
				continue
			}
			found := Worker{Identity: poller.GetIdentity(), BuildID: run.WorkerBuild(poller.GetIdentity())}
			options := poller.GetDeploymentOptions()
			if options.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED {
				found.BuildID, found.Versioned = options.GetBuildId(), true
			}
			i := slices.IndexFunc(all, func(w Worker) bool { return w.Identity == found.Identity })
			if i < 0 {
				i, all = len(all), append(all, found)
			}
			if kind == enumspb.TASK_QUEUE_TYPE_WORKFLOW {
				all[i].Workflows = true
			} else {
				all[i].Activities = true
			}
		}
	}
	slices.SortFunc(all, func(a, b Worker) int {
		return cmp.Or(cmp.Compare(a.BuildID, b.BuildID), cmp.Compare(a.Identity, b.Identity))
	})
	return all, nil
}

// CheckWorker returns the workers that have polled the task queue recently, or an error if none
// polls for workflows or none for activities.
func (r *Reader) CheckWorker(ctx context.Context, conn *temporal.Connection) (string, error) {
	all, err := r.Workers(ctx, conn)
	if err != nil {
		return "", err
	}
	queue := r.Deployment.TaskQueue()
	workflows := slices.ContainsFunc(all, func(w Worker) bool { return w.Workflows })
	activities := slices.ContainsFunc(all, func(w Worker) bool { return w.Activities })
	if !workflows || !activities {
		return "", fmt.Errorf("no worker polls task queue %s: start one with `bin/workers`; if one runs, look at its log", queue)
	}
	return fmt.Sprintf("%s polls task queue %s", term.Join(identities(all)), queue), nil
}

func identities(all []Worker) []string {
	names := make([]string, len(all))
	for i, w := range all {
		names[i] = w.Identity
	}
	return names
}

// OtherBuilds describes the workers that start new runs with another build than that of this
// command, or returns nothing if there are none. Their DAGs, and what they understand of a command's
// input, may differ. With Worker Versioning these are the workers of the current and the ramping version:
// those of other versions only finish what they have begun.
func (r *Reader) OtherBuilds(ctx context.Context, conn *temporal.Connection, buildID string) (string, error) {
	all, err := r.Workers(ctx, conn)
	if err != nil {
		return "", err
	}
	routing, err := r.routing(ctx, conn)
	if err != nil {
		return "", err
	}
	others := map[string][]string{}
	var builds []string
	for _, w := range all {
		startsRuns := routing.Current == "" && !w.Versioned
		if w.Versioned {
			startsRuns = w.BuildID == routing.Current || w.BuildID == routing.Ramping
		}
		if !startsRuns || w.BuildID == "" || w.BuildID == buildID {
			continue
		}
		if others[w.BuildID] == nil {
			builds = append(builds, w.BuildID)
		}
		others[w.BuildID] = append(others[w.BuildID], w.Identity)
	}
	if len(builds) == 0 {
		return "", nil
	}
	slices.Sort(builds)
	var lines []string
	for _, build := range builds {
		lines = append(lines, fmt.Sprintf("%s (%s)", build, term.Join(others[build])))
	}
	return fmt.Sprintf("workers run %s, and this command is of build %s: "+
		"DAGs and options may differ; restart the workers, or use the starter of their build", strings.Join(lines, ", "), buildID), nil
}
