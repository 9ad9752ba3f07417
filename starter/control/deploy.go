package control

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/starter/builds"
)

// AllRuns is the percentage that makes a version the current one.
const AllRuns = -1

// Promotion is a change of which version of the workers starts new runs.
type Promotion struct {
	// BuildID names the version. Without one the workers without Worker Versioning start new runs.
	BuildID string
	// Percentage is the share of new runs that the version starts, 0 to 100, while the current
	// version starts the others. 0 ends the ramp. AllRuns makes the version the current one.
	Percentage float64
	// AllowNoPollers promotes a version without workers: its runs wait for them.
	AllowNoPollers bool
}

// Promote changes which version starts new runs, and returns the versions after it. Runs that are
// open continue on the version that has started them.
func (c *Controller) Promote(ctx context.Context, conn *temporal.Connection, p Promotion) (*builds.Versions, error) {
	before, err := c.Builds().Versions(ctx, conn)
	if err != nil {
		return nil, err
	}
	if err := p.check(before); err != nil {
		return nil, err
	}
	if err := c.route(ctx, conn, p, before); err != nil {
		var changed *serviceerror.FailedPrecondition
		if errors.As(err, &changed) {
			return nil, fmt.Errorf("the promotion was rejected: %w; see `starter deploy status`, and try again", err)
		}
		return nil, conn.Classify(err)
	}
	return c.Builds().Versions(ctx, conn)
}

// check returns why a promotion would leave new runs without a worker.
func (p Promotion) check(v *builds.Versions) error {
	switch one := v.Find(p.BuildID); {
	case p.BuildID == "" && len(v.Versions) == 0:
		return fmt.Errorf("deployment %s has no versions: the workers without Worker Versioning start the runs already", v.Deployment)
	case p.BuildID == "" && len(v.Unversioned) == 0 && !p.AllowNoPollers:
		return errors.New("no worker without Worker Versioning has polled within the last minute: start one with PINFLOW_WORKER_VERSIONING=off first")
	case p.BuildID == "":
		return nil
	case one == nil:
		return fmt.Errorf("deployment %s has no version %s (versions: %s): start a worker of that build with PINFLOW_WORKER_VERSIONING=on first",
			v.Deployment, p.BuildID, v.Known())
	case p.Percentage == 0:
		if v.Ramping != p.BuildID {
			return fmt.Errorf("%s is not ramping: it is %s", p.BuildID, one.State)
		}
	case len(one.Workers) == 0 && !p.AllowNoPollers:
		return fmt.Errorf("no worker of %s has polled within the last minute, so new runs would wait: start one first, or use --allow-no-pollers", p.BuildID)
	case p.Percentage == AllRuns:
	case v.Current == p.BuildID:
		return fmt.Errorf("%s is the current version, which starts all new runs that no ramping version starts", p.BuildID)
	case v.Current == "" && len(v.Unversioned) == 0 && p.Percentage < 100 && !p.AllowNoPollers:
		return fmt.Errorf("there is no current version and no worker without Worker Versioning, so %g %% of the new runs would wait: "+
			"promote a current version first, without --percentage", 100-p.Percentage)
	}
	return nil
}

// route sends the change to Temporal, which rejects it if the routing has changed since.
func (c *Controller) route(ctx context.Context, conn *temporal.Connection, p Promotion, before *builds.Versions) error {
	if p.Percentage == AllRuns {
		_, err := conn.WorkflowService().SetWorkerDeploymentCurrentVersion(ctx, &workflowservice.SetWorkerDeploymentCurrentVersionRequest{
			Namespace: conn.Namespace, DeploymentName: before.Deployment, BuildId: p.BuildID, ConflictToken: before.Token(), Identity: c.Operator(),
			AllowNoPollers: p.AllowNoPollers,
		})
		return err
	}
	request := &workflowservice.SetWorkerDeploymentRampingVersionRequest{
		Namespace: conn.Namespace, DeploymentName: before.Deployment, BuildId: p.BuildID, Percentage: float32(p.Percentage), ConflictToken: before.Token(),
		Identity: c.Operator(), AllowNoPollers: p.AllowNoPollers,
	}
	if p.Percentage == 0 {
		request.BuildId = "" // nothing ramps
	}
	_, err := conn.WorkflowService().SetWorkerDeploymentRampingVersion(ctx, request)
	return err
}
