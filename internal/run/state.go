package run

// State is the state of a task or of a run. The names are Airflow's.
type State string

// The states of a task. A run is Running, Held, Success, Failed or Cancelled, and for those who look
// at it also Blocked.
const (
	// None is the state of a task whose parents have not decided about it yet.
	None State = "none"
	// Queued is the state of a task that waits for a slot of its pool.
	Queued State = "queued"
	// Running is the state of a task with a try in progress.
	Running State = "running"
	// UpForRetry is the state of a task between two tries.
	UpForRetry State = "up_for_retry"
	// Held is the state of a task that has used up its tries and waits for an operator's decision.
	Held State = "held"
	// Success is final: the task did its work.
	Success State = "success"
	// Failed is final: the task used up its tries.
	Failed State = "failed"
	// Cancelled is final: a cancellation or the run timeout interrupted the task, or kept it from
	// starting. A run is Cancelled only by a cancellation, or by an operator who terminated it; after
	// its timeout it is Failed.
	Cancelled State = "cancelled"
	// UpstreamFailed is final: the task could not run because a parent failed.
	UpstreamFailed State = "upstream_failed"
	// Skipped is final: the task was not meant to run.
	Skipped State = "skipped"
	// Blocked is the state of an open run whose workflow task fails again and again, so that the run
	// neither continues nor answers. The run cannot record it: those who look at the run find it.
	Blocked State = "blocked"
)

// Final reports whether the state is one that a task or run does not leave.
func (s State) Final() bool {
	return s == Success || s == Skipped || s.Bad()
}

// Bad reports whether the state is final without the work being done, although it was meant to be.
func (s State) Bad() bool {
	return s == Failed || s == UpstreamFailed || s == Cancelled
}
