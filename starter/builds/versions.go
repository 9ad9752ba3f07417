package builds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/starter/term"
)

// VersionState is the state of a version of the workers, in Temporal's words.
type VersionState string

// States of a version.
const (
	// Current starts all new runs, less those that a ramping version starts.
	Current VersionState = "current"
	// Ramping starts a share of the new runs.
	Ramping VersionState = "ramping"
	// Draining starts no runs, and has open ones, or had some until a moment ago.
	Draining VersionState = "draining"
	// Drained has no open runs.
	Drained VersionState = "drained"
	// Inactive has never started runs.
	Inactive VersionState = "inactive"
)

// Versions is what Temporal knows of the builds of a deployment's workers.
type Versions struct {
	// Deployment is the name of the Worker Deployment in Temporal.
	Deployment string `json:"deployment"`
	// Current is the build id with which new runs start; empty if the workers without Worker
	// Versioning start them.
	Current string `json:"current"`
	// Ramping is the build id of the version that starts Percentage of the new runs; empty if there
	// is none.
	Ramping    string  `json:"ramping,omitempty"`
	Percentage float32 `json:"percentage,omitempty"`
	// Versions is sorted by creation, the latest first.
	Versions []Version `json:"versions"`
	// Unversioned holds the workers that do not use Worker Versioning.
	Unversioned []Worker `json:"unversioned"`

	// token makes Temporal reject a change of the routing that was decided on an older state.
	token []byte
}

// Version is a build of the workers that has polled with Worker Versioning.
type Version struct {
	BuildID string       `json:"buildId"`
	State   VersionState `json:"state"`
	Created time.Time    `json:"created"`
	// OpenRuns counts the open runs that only this version can continue.
	OpenRuns int64 `json:"openRuns"`
	// Workers holds the workers that have polled within PollAge.
	Workers []Worker `json:"workers"`
	// Removable reports whether its workers may be stopped for good, and Why says why or why not.
	Removable bool   `json:"removable"`
	Why       string `json:"why"`
}

// Token is Temporal's conflict token of this state.
func (v *Versions) Token() []byte { return v.token }

// Find returns the version of a build, or nil if Temporal knows none.
func (v *Versions) Find(buildID string) *Version {
	if i := slices.IndexFunc(v.Versions, func(one Version) bool { return one.BuildID == buildID }); i >= 0 {
		return &v.Versions[i]
	}
	return nil
}

// Known returns the build ids of all versions as text.
func (v *Versions) Known() string {
	var names []string
	for _, one := range v.Versions {
		names = append(names, one.BuildID)
	}
	return cmp.Or(term.Join(names), "none")
}

// Versions returns the versions of the deployment's workers. Without a worker that has ever polled
// with Worker Versioning there are none.
func (r *Reader) Versions(ctx context.Context, conn *temporal.Connection) (*Versions, error) {
	v, err := r.routing(ctx, conn)
	if err != nil {
		return nil, err
	}
	workers, err := r.Workers(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, w := range workers {
		if !w.Versioned {
			v.Unversioned = append(v.Unversioned, w)
		} else if one := v.Find(w.BuildID); one != nil {
			one.Workers = append(one.Workers, w)
		}
	}
	for i := range v.Versions {
		one := &v.Versions[i]
		count, err := conn.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: conn.Namespace, Query: search.PinnedTo(v.Deployment, one.BuildID),
		})
		if err != nil {
			return nil, conn.Classify(err)
		}
		one.OpenRuns = count.GetCount()
		one.judge(v)
	}
	return v, nil
}

// routing returns the versions and which of them start runs.
func (r *Reader) routing(ctx context.Context, conn *temporal.Connection) (*Versions, error) {
	v := &Versions{Deployment: r.Deployment.WorkerDeployment(), Versions: []Version{}, Unversioned: []Worker{}}
	in := &workflowservice.DescribeWorkerDeploymentRequest{Namespace: conn.Namespace, DeploymentName: v.Deployment}
	answer, err := conn.WorkflowService().DescribeWorkerDeployment(ctx, in)
	// An older server knows no Worker Deployments.
	if errors.As(err, new(*serviceerror.NotFound)) || errors.As(err, new(*serviceerror.Unimplemented)) {
		return v, nil
	}
	if err != nil {
		return nil, conn.Classify(err)
	}
	info := answer.GetWorkerDeploymentInfo()
	v.token = answer.GetConflictToken()
	v.Current = info.GetRoutingConfig().GetCurrentDeploymentVersion().GetBuildId()
	v.Ramping = info.GetRoutingConfig().GetRampingDeploymentVersion().GetBuildId()
	v.Percentage = info.GetRoutingConfig().GetRampingVersionPercentage()
	for _, s := range info.GetVersionSummaries() {
		v.Versions = append(v.Versions, Version{
			BuildID: s.GetDeploymentVersion().GetBuildId(), State: stateOf(s.GetStatus()),
			Created: s.GetCreateTime().AsTime(), Workers: []Worker{},
		})
	}
	slices.SortFunc(v.Versions, func(a, b Version) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.BuildID, b.BuildID))
	})
	return v, nil
}

func stateOf(status enumspb.WorkerDeploymentVersionStatus) VersionState {
	switch status {
	case enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT:
		return Current
	case enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING:
		return Ramping
	case enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING:
		return Draining
	case enumspb.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED:
		return Drained
	}
	return Inactive
}

// judge decides whether the workers of a version may be stopped for good.
func (one *Version) judge(v *Versions) {
	switch {
	case one.BuildID == v.Current:
		one.State, one.Why = Current, "it starts the new runs"
	case one.BuildID == v.Ramping:
		one.State, one.Why = Ramping, fmt.Sprintf("it starts %s of the new runs", percent(v.Percentage))
	case one.OpenRuns > 0:
		one.Why = fmt.Sprintf("it has %s", term.Count(one.OpenRuns, "open run"))
	case one.State == Drained:
		one.Removable, one.Why = true, "it has no open runs"
	case one.State == Inactive:
		one.Removable, one.Why = true, "it has started no run yet; `starter deploy promote` lets it"
	default:
		one.Why = "it has no open runs, and Temporal confirms that within a few minutes"
	}
}

func percent(p float32) string { return fmt.Sprintf("%g %%", p) }
