package pools

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

const (
	// obstacleInterval is how often the Pools workflow looks whether its build knows an operator now.
	obstacleInterval = time.Minute
	// maxTold limits how many runs it tells at a time what their requests wait for. Temporal limits
	// the signals on their way to 2,000.
	maxTold = 100
)

// obstacle returns why this build cannot do the work of a request: it does not know the operator,
// because the run has started on another build. The history records the answer: a build that knows
// the operator must replay that the work did not start.
func (p *poolsRun) obstacle(ctx workflow.Context, request run.Request) string {
	name := string(request.Operator)
	if p.obstacles[name] != "" {
		return p.obstacles[name]
	}
	var obstacle string
	err := workflow.SideEffect(ctx, func(workflow.Context) any {
		if _, err := p.operators.Decode(request.Operator); err != nil {
			return err.Error()
		}
		return ""
	}).Get(&obstacle)
	if err != nil {
		panic(err) // the recorded text is no text
	}
	if obstacle != "" {
		p.obstacles[name] = obstacle
		p.tell(ctx, name, obstacle)
	}
	return obstacle
}

// tell reports an obstacle to the runs whose requests wait for that operator.
func (p *poolsRun) tell(ctx workflow.Context, operator, obstacle string) {
	told := 0
	for _, w := range p.waiting.with(operator) {
		if w.told == obstacle || told == maxTold {
			continue
		}
		w.told = obstacle
		told++
		started := run.WorkStarted{RunID: w.RunID, Task: w.Task, Try: w.Try, Obstacle: obstacle}
		workflow.Go(ctx, func(ctx workflow.Context) {
			if err := workflow.SignalExternalWorkflow(ctx, w.WorkflowID, w.RunID, run.StartedSignal, started).Get(ctx, nil); err != nil {
				workflow.GetLogger(ctx).Info("A run does not know what its request waits for", "run", w.WorkflowID, "error", err)
			}
		})
	}
}

// removeObstacles looks again at the requests that this build could not do, while there are any.
// Those of closed runs are withdrawn: no other request waits for them.
func (p *poolsRun) removeObstacles(ctx workflow.Context) {
	for {
		_ = workflow.Await(ctx, func() bool { return len(p.obstacles) > 0 })
		_ = steps.Sleep(ctx, obstacleInterval, "look for a build that has the operators")
		var of []activities.Requester
		for _, w := range p.waiting.behind(p.obstacles) {
			if len(of) < maxTold {
				of = append(of, activities.Requester{WorkflowID: w.WorkflowID, RunID: w.RunID})
			}
		}
		p.withdrawClosedOf(ctx, of)
		p.obstacles, p.changed = map[string]string{}, true
	}
}

// resume does the work that was in progress when the workflow continued as new. If this build does
// not know the operator, the work keeps its slot until one does: its job may be running. Withdrawn
// work frees it: nobody could cancel the job here, and StartNotebook does so before the next job.
func (p *poolsRun) resume(ctx workflow.Context, w *poolWork) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		first := w.first()
		for first.Obstacle = p.obstacle(ctx, first.Request); first.Obstacle != ""; first.Obstacle = p.obstacle(ctx, first.Request) {
			_ = workflow.Await(ctx, func() bool { return w.isWithdrawn() || p.obstacles[string(first.Operator)] == "" })
			if w.isWithdrawn() {
				for _, m := range w.members {
					if !m.Answered {
						p.answer(ctx, activities.AnswerRequestInput{Request: m.Request, Cancelled: true})
					}
				}
				p.remove(w)
				return
			}
		}
		p.finish(ctx, w, true)
	})
}
