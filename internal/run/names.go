package run

// TaskQueue is the task queue of all workflows and activities.
const TaskQueue = "pinflow"

// Workflow types.
const (
	// RunWorkflow runs one logical date. Its input is an Input, its result a Result.
	RunWorkflow = "Run"
	// RangeWorkflow runs many dates. Its input is a RangeInput, its result a RangeResult.
	RangeWorkflow = "Range"
	// PoolWorkflow grants the slots of a pool. Runs start it when they need a slot.
	PoolWorkflow = "Pool"
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

	// PoolQuery returns the PoolState of a pool.
	PoolQuery = "pool"
	// PoolSignal carries a SlotMessage to a pool. Requests and releases share one signal so that
	// they arrive in the order in which they were sent.
	PoolSignal = "slot"
)
