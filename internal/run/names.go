package run

// TaskQueue is the task queue of all workflows and activities.
const TaskQueue = "pinflow"

// Workflow types.
const (
	// RunWorkflow runs one logical date. Its input is an Input, its result a Result.
	RunWorkflow = "Run"
	// RangeWorkflow runs many dates. Its input is a RangeInput, its result a RangeResult.
	RangeWorkflow = "Range"
	// PoolsWorkflow does the work of the tasks that have a pool. A deployment has one, which never
	// ends. Its input is a PoolsState.
	PoolsWorkflow = "Pools"
)

// Queries, updates and signals.
const (
	// StatusQuery returns the Status of a run.
	StatusQuery = "status"
	// DecideUpdate carries out a decision about a task of a run. Its argument is a Decision.
	DecideUpdate = "decide"

	// ProgressQuery returns the RangeProgress of a range.
	ProgressQuery = "progress"
	// PauseUpdate stops a range from starting dates, or a run from starting tries. Work in progress
	// continues. Its argument is a Pause.
	PauseUpdate = "pause"
	// ResumeUpdate ends a pause. Its argument is a Pause: who resumes and why.
	ResumeUpdate = "resume"
	// ParallelUpdate sets how many dates a range runs at a time. Its argument is a number.
	ParallelUpdate = "parallel"
	// StopUpdate ends a range early. Its argument is a Stop.
	StopUpdate = "stop"

	// RequestsQuery returns the Requests of a run that the Pools workflow has not answered.
	RequestsQuery = "requests"
	// StartedSignal carries a WorkStarted to a run.
	StartedSignal = "work-started"

	// PoolsQuery returns the PoolsState.
	PoolsQuery = "pools"
	// PoolsSignal carries a PoolsMessage to the Pools workflow. All messages share one signal so
	// that they arrive in the order in which they were sent.
	PoolsSignal = "pools"
)
