package history

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
)

// pools returns the pools of the DAG. Without the Pools workflow all are idle: the first request
// starts it.
func (r *Reader) pools(ctx context.Context, conn *temporal.Connection, query bool) ([]PoolNow, error) {
	pools := r.Catalog.PoolsOf(r.DAG.DAG)
	all := make([]PoolNow, len(pools))
	for i, pool := range pools {
		all[i] = PoolNow{Name: pool.Name, Slots: pool.Slots, Work: []PoolTask{}, Waiting: []PoolTask{}}
	}
	id := r.Settings.Deployment.PoolsID()
	description, err := conn.DescribeWorkflowExecution(ctx, id, "")
	if errors.As(err, new(*serviceerror.NotFound)) || err == nil && description.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return all, nil
	}
	if err != nil {
		return nil, conn.Classify(err)
	}
	var state run.PoolsState
	err = errNotQueried
	if query {
		err = r.Query(ctx, conn, id, "", run.PoolsQuery, &state)
	}
	if err != nil && !unanswered(err) {
		return nil, err
	}
	for i := range all {
		all[i].Unknown = err != nil
		all[i].fill(state.Pool(all[i].Name))
	}
	return all, nil
}

// errNotQueried stands for a query that no worker would answer.
var errNotQueried = &NoWorkerError{}

// fill adds what the Pools workflow knows of the pool. The requests say how many slots it has: they
// may come from workers of another build.
func (p *PoolNow) fill(known run.Pool) {
	if known.Slots > 0 {
		p.Slots = known.Slots
	}
	p.Taken = known.Taken
	for _, w := range known.Work {
		p.Work = append(p.Work, PoolTask{DAG: w.DAG, Date: w.Date, Task: w.Task, Try: w.Try, Link: w.Link})
	}
	for _, request := range known.Waiting {
		p.Waiting = append(p.Waiting, PoolTask{DAG: request.DAG, Date: request.Date, Task: request.Task, Try: request.Try})
	}
	for _, a := range known.Announced {
		p.Announced = append(p.Announced, PoolTask{DAG: a.DAG, Date: a.Date, Task: a.Task})
	}
}
