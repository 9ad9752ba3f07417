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

// FindGoneInput holds the slots to check.
type FindGoneInput struct {
	Slots []run.Slot `json:"slots"`
}

// GoneSlots holds the slots whose runs have ended and will not release them.
type GoneSlots struct {
	Slots []run.Slot `json:"slots,omitempty"`
}

// WorkflowClient is the part of Temporal's client that activities use; client.Client satisfies it.
type WorkflowClient interface {
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, signalArg any,
		options client.StartWorkflowOptions, workflow any, workflowArgs ...any) (client.WorkflowRun, error)
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
	GetWorkflow(ctx context.Context, workflowID, runID string) client.WorkflowRun
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
}

// Pools sends the messages of runs to the workflows of pools.
type Pools struct {
	Client     WorkflowClient
	Deployment run.Deployment
}

// RequestSlot requests a slot of a pool and starts the pool if it is not running. The pool grants
// the slot with a signal to the run. Requests are idempotent.
func (p *Pools) RequestSlot(ctx context.Context, in run.SlotMessage) error {
	if err := p.send(ctx, in); err != nil {
		return fmt.Errorf("request a slot of pool %s: %w", in.Slot.Pool, err)
	}
	return nil
}

// ReserveSlots reserves slots that a run will request soon. It starts pools that are not running: a
// backfill may request a slot before the run does.
func (p *Pools) ReserveSlots(ctx context.Context, in run.ReserveInput) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, message := range in.Messages {
		message.Reserve = true
		group.Go(func() error {
			if err := p.send(ctx, message); err != nil {
				return fmt.Errorf("reserve a slot of pool %s: %w", message.Slot.Pool, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// send signals a pool and starts it if it is not running.
func (p *Pools) send(ctx context.Context, in run.SlotMessage) error {
	options := client.StartWorkflowOptions{
		TaskQueue:     p.Deployment.TaskQueue(),
		StaticSummary: fmt.Sprintf("pool %s, slots: %d", in.Slot.Pool, in.Slots),
	}
	state := run.PoolState{Name: in.Slot.Pool, Slots: in.Slots}
	_, err := p.Client.SignalWithStartWorkflow(ctx, p.Deployment.PoolWorkflowID(in.Slot.Pool), run.PoolSignal, in, options, run.PoolWorkflow, state)
	return err
}

// ReleaseSlot releases a slot, or withdraws the request for one. A pool that has ended needs no
// release.
func (p *Pools) ReleaseSlot(ctx context.Context, in run.SlotMessage) error {
	in.Release = true
	err := p.Client.SignalWorkflow(ctx, p.Deployment.PoolWorkflowID(in.Slot.Pool), "", run.PoolSignal, in)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("release the slot of pool %s: %w", in.Slot.Pool, err)
	}
	return nil
}

// FindGone returns the slots whose runs have ended. A run that was reset continues under a new run
// id and keeps its slot; another run of the same date does not inherit it.
func (p *Pools) FindGone(ctx context.Context, in FindGoneInput) (GoneSlots, error) {
	var gone GoneSlots
	for _, slot := range in.Slots {
		response, err := p.Client.DescribeWorkflowExecution(ctx, slot.WorkflowID, "")
		if err != nil && !isNotFound(err) {
			return GoneSlots{}, fmt.Errorf("look up run %s: %w", slot.WorkflowID, err)
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
