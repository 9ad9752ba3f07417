package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"
)

// The pool workflow as others address it.
const (
	// PoolWorkflow is the type of the workflow that keeps a pool's slots.
	PoolWorkflow = "Pool"
	// PoolSignal carries a SlotMessage to a pool. Requests and releases share one signal, so that they arrive in the order in which they were sent.
	PoolSignal = "slot"
)

// PoolID is the id of the workflow that keeps the pool of that name. There is one a namespace.
func PoolID(pool string) string { return "pool-" + pool }

// Slot is a place in a pool, wanted or held by one try of a task. Its fields but Priority are its identity.
type Slot struct {
	Pool       string `json:"pool"`
	WorkflowID string `json:"workflowId"`
	// OriginalRunID is the workflow's run, as it was before any reset.
	OriginalRunID string `json:"originalRunId"`
	Task          string `json:"task"`
	Try           int    `json:"try"`
	// Priority orders who waits: smaller numbers first, as Temporal's priority keys; equals in the order of arrival.
	Priority int `json:"priority"`
}

// Same says that both are the same place of the same try.
func (s Slot) Same(other Slot) bool {
	s.Priority = other.Priority
	return s == other
}

// SlotMessage is what a run tells a pool about a slot: that it will want it soon, wants it, still holds it, or gives it back.
type SlotMessage struct {
	Slot Slot `json:"slot"`
	// Slots is how many the pool has.
	Slots int `json:"slots"`
	// TaskQueue is where the pool runs if this message starts it.
	TaskQueue string `json:"taskQueue"`
	// Release gives the slot back, or takes the request for it back.
	Release bool `json:"release,omitempty"`
	// Held says that the slot was granted already, to a pool that may have lost its memory.
	Held bool `json:"held,omitempty"`
	// Announce says that the slot will be wanted soon: the pool keeps it from those who stand behind.
	Announce bool `json:"announce,omitempty"`
}

// AnnounceInput are slots that a run will want soon.
type AnnounceInput struct {
	Messages []SlotMessage `json:"messages"`
}

// AnnouncedSlot is a slot that a pool keeps from those who stand behind it.
type AnnouncedSlot struct {
	Slot  Slot      `json:"slot"`
	Until time.Time `json:"until"`
}

// PoolState is who holds a slot of a pool and who waits for one. A pool's workflow starts from it and answers its query with it.
type PoolState struct {
	Name    string `json:"name"`
	Slots   int    `json:"slots"`
	Holders []Slot `json:"holders,omitempty"`
	Waiting []Slot `json:"waiting,omitempty"`
	// Announced are slots that are neither wanted yet nor held.
	Announced []AnnouncedSlot `json:"announced,omitempty"`
}

// FindGoneInput asks which slots are of runs that have ended.
type FindGoneInput struct {
	Slots []Slot `json:"slots"`
}

// GoneSlots are slots whose runs have ended and will not give them back.
type GoneSlots struct {
	Slots []Slot `json:"slots,omitempty"`
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
func (p *Pools) RequestSlot(ctx context.Context, in SlotMessage) error {
	if err := p.tell(ctx, in); err != nil {
		return fmt.Errorf("ask pool %s for a slot: %w", in.Slot.Pool, err)
	}
	return nil
}

// AnnounceSlots tells pools which slots a run will want soon, and starts those that do not run: a backfill may come before the run does.
func (p *Pools) AnnounceSlots(ctx context.Context, in AnnounceInput) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, message := range in.Messages {
		message.Announce = true
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
func (p *Pools) tell(ctx context.Context, in SlotMessage) error {
	options := client.StartWorkflowOptions{
		TaskQueue:     in.TaskQueue,
		StaticSummary: fmt.Sprintf("pool %s, slots: %d", in.Slot.Pool, in.Slots),
	}
	state := PoolState{Name: in.Slot.Pool, Slots: in.Slots}
	_, err := p.Client.SignalWithStartWorkflow(ctx, PoolID(in.Slot.Pool), PoolSignal, in, options, PoolWorkflow, state)
	return err
}

// ReleaseSlot gives a slot, or the request for one, back. A pool that has ended has nobody to give it to, which is no error.
func (p *Pools) ReleaseSlot(ctx context.Context, in SlotMessage) error {
	in.Release = true
	err := p.Client.SignalWorkflow(ctx, PoolID(in.Slot.Pool), "", PoolSignal, in)
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
