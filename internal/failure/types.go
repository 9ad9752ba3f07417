// Package failure is how activities and workflows report errors to Temporal: the types of errors
// that are not retried, and the text of an error that came back through Temporal.
package failure

// Types of errors that Temporal does not retry. A new try of the task may still succeed.
const (
	// InvalidInput is input that no retry can fix, for example a date in the future.
	InvalidInput = "InvalidInput"
	// Missing is something that setup creates and that does not exist: a topic, a bucket, a
	// notebook.
	Missing = "Missing"
	// OffsetsGone is a range of offsets that Kafka's retention deleted before it was landed.
	OffsetsGone = "OffsetsGone"
	// TopicReplaced is a topic whose log is not the one that has landed: it was deleted and created
	// again, or an unclean leader election has cut it off.
	TopicReplaced = "TopicReplaced"
	// Contradiction is a state of the bucket that Pinflow never writes: a gap between objects,
	// crossed boundaries, an unreadable ledger entry.
	Contradiction = "Contradiction"
	// AccessDenied is a system that rejected the credentials or denied permission.
	AccessDenied = "AccessDenied"
	// Settings is a setting that does not fit the system, for example the id of a missing cluster.
	Settings = "Settings"
	// NotebookFailed is a Databricks run that ended without success. Its details are a
	// NotebookFailure.
	NotebookFailed = "NotebookFailed"
	// NotebookConflict is a Databricks run that lost a table to another writer
	// (DELTA_CONCURRENT_…): a new try is likely to succeed. Its details are a NotebookFailure.
	NotebookConflict = "NotebookConflict"
	// WorkCancelled is for work that was cancelled although its run did not cancel it.
	WorkCancelled = "WorkCancelled"
	// PastFailed is a task of the date before that has failed.
	PastFailed = "PastFailed"
	// Expectation is a task whose outcome is not what its row expects.
	Expectation = "Expectation"
	// RunFailed is a run that failed. Its message names the tasks and their errors.
	RunFailed = "RunFailed"
	// RangeFailed is a range in which dates failed or were left out. Its details are a
	// run.RangeResult.
	RangeFailed = "RangeFailed"
)
