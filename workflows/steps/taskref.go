package steps

import (
	"context"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dates"
)

// TaskRef is the try that an activity works for. The activity's header carries it, so that log
// lines can name it.
type TaskRef struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	Task string     `json:"task"`
	Try  int        `json:"try"`
}

type taskRefKey struct{}

// taskRefHeader is the name of the header.
const taskRefHeader = "pinflow-task"

// WithTaskRef returns a context whose activities work for a try.
func WithTaskRef(ctx workflow.Context, ref TaskRef) workflow.Context {
	return workflow.WithValue(ctx, taskRefKey{}, ref)
}

// TaskRefOf returns the try that an activity works for. ok is false if it works for none, or if the
// client has no TaskRefPropagator.
func TaskRefOf(ctx context.Context) (ref TaskRef, ok bool) {
	ref, ok = ctx.Value(taskRefKey{}).(TaskRef)
	return ref, ok
}

// TaskRefPropagator carries TaskRefs from workflows to their activities. The client of a worker
// needs it.
type TaskRefPropagator struct{}

var _ workflow.ContextPropagator = TaskRefPropagator{}

// Inject does nothing: clients start no activities.
func (TaskRefPropagator) Inject(context.Context, workflow.HeaderWriter) error { return nil }

// InjectFromWorkflow writes the header of an activity.
func (TaskRefPropagator) InjectFromWorkflow(ctx workflow.Context, headers workflow.HeaderWriter) error {
	ref, ok := ctx.Value(taskRefKey{}).(TaskRef)
	if !ok {
		return nil
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(ref)
	if err != nil {
		return err
	}
	headers.Set(taskRefHeader, payload)
	return nil
}

// Extract reads the header in an activity.
func (TaskRefPropagator) Extract(ctx context.Context, headers workflow.HeaderReader) (context.Context, error) {
	payload, ok := headers.Get(taskRefHeader)
	if !ok {
		return ctx, nil
	}
	var ref TaskRef
	// A header that cannot be decoded, as from another build, must not fail the activity.
	if converter.GetDefaultDataConverter().FromPayload(payload, &ref) == nil {
		ctx = context.WithValue(ctx, taskRefKey{}, ref)
	}
	return ctx, nil
}

// ExtractToWorkflow does nothing: a child workflow works for no try.
func (TaskRefPropagator) ExtractToWorkflow(ctx workflow.Context, _ workflow.HeaderReader) (workflow.Context, error) {
	return ctx, nil
}
