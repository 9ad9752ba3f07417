package activities

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/run"
)

// FindGoneInput asks which slots are of runs that have ended.
type FindGoneInput struct {
	Slots []run.Slot `json:"slots"`
}

// GoneSlots are slots whose runs have ended and will not give them back.
type GoneSlots struct {
	Slots []run.Slot `json:"slots,omitempty"`
}

// WorkflowClient is what activities ask of Temporal itself; client.Client satisfies it.
type WorkflowClient interface {
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, signalArg any,
		options client.StartWorkflowOptions, workflow any, workflowArgs ...any) (client.WorkflowRun, error)
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	GetWorkflow(ctx context.Context, workflowID, runID string) client.WorkflowRun
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
}

// Pools talks to the pools' workflows for runs.
type Pools struct {
	Client WorkflowClient
}

// RequestSlot asks a pool for a slot, and starts the pool if it does not run. The answer comes to the run as a signal.
// Asking twice is asking once.
func (p *Pools) RequestSlot(ctx context.Context, in run.SlotMessage) error {
	if err := p.tell(ctx, in); err != nil {
		return fmt.Errorf("ask pool %s for a slot: %w", in.Slot.Pool, err)
	}
	return nil
}

// AnnounceSlots tells pools which slots a run will want soon, and starts those that do not run: a backfill may come before the run does.
func (p *Pools) ReserveSlots(ctx context.Context, in run.ReserveInput) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, message := range in.Messages {
		message.Reserve = true
		group.Go(func() error {
			if err := p.tell(ctx, message); err != nil {
				return fmt.Errorf("announce a slot to pool %s: %w", message.Slot.Pool, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// tell sends a message to a pool, and starts the pool if it does not run.
func (p *Pools) tell(ctx context.Context, in run.SlotMessage) error {
	options := client.StartWorkflowOptions{
		TaskQueue:     in.TaskQueue,
		StaticSummary: fmt.Sprintf("pool %s, slots: %d", in.Slot.Pool, in.Slots),
	}
	state := run.PoolState{Name: in.Slot.Pool, Slots: in.Slots}
	_, err := p.Client.SignalWithStartWorkflow(ctx, run.PoolWorkflowID(in.Slot.Pool), run.PoolSignal, in, options, run.PoolWorkflow, state)
	return err
}

// ReleaseSlot gives a slot, or the request for one, back. A pool that has ended has nobody to give it to, which is no error.
func (p *Pools) ReleaseSlot(ctx context.Context, in run.SlotMessage) error {
	in.Release = true
	err := p.Client.SignalWorkflow(ctx, run.PoolWorkflowID(in.Slot.Pool), "", run.PoolSignal, in)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("give pool %s its slot back: %w", in.Slot.Pool, err)
	}
	return nil
}

// FindGone returns the slots whose runs have ended. A run that was reset goes on under a new run id and keeps its slot;
// another run of the same date does not inherit it.
func (p *Pools) FindGone(ctx context.Context, in FindGoneInput) (GoneSlots, error) {
	var gone GoneSlots
	for _, slot := range in.Slots {
		response, err := p.Client.DescribeWorkflowExecution(ctx, slot.WorkflowID, "")
		if err != nil && !isNotFound(err) {
			return GoneSlots{}, fmt.Errorf("look whether %s still runs: %w", slot.WorkflowID, err)
		}
		info := response.GetWorkflowExecutionInfo()
		if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || info.GetFirstRunId() != slot.OriginalRunID {
			gone.Slots = append(gone.Slots, slot)
		}
	}
	return gone, nil
}

func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
