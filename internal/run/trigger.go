package run

// Trigger is what started a run.
type Trigger string

// The triggers.
const (
	// Scheduled runs are started by the Schedule.
	Scheduled Trigger = "schedule"
	// Manual runs are started by an operator, one date at a time.
	Manual Trigger = "manual"
	// Backfill runs are started by a backfill.
	Backfill Trigger = "backfill"
)
