package run

import "time"

// Slot is a slot of a pool, requested or held by one try of a task. All fields but Priority are its
// identity.
type Slot struct {
	Pool       string `json:"pool"`
	WorkflowID string `json:"workflowId"`
	// OriginalRunID is the run id of the workflow before any reset.
	OriginalRunID string `json:"originalRunId"`
	Task          string `json:"task"`
	Try           int    `json:"try"`
	// Priority orders the waiting tries: smaller numbers first, as Temporal's priority keys; equal
	// numbers in the order of arrival.
	Priority int `json:"priority"`
}

// Same reports whether both are the slot of the same try.
func (s Slot) Same(other Slot) bool {
	s.Priority = other.Priority
	return s == other
}

// SlotMessage is what a run sends to a pool. With none of the flags it requests the slot.
type SlotMessage struct {
	Slot Slot `json:"slot"`
	// Slots is how many slots the pool has.
	Slots int `json:"slots"`
	// Release returns the slot, or withdraws the request for it.
	Release bool `json:"release,omitempty"`
	// Held reports that the slot was granted already, to a pool that may have been terminated
	// since.
	Held bool `json:"held,omitempty"`
	// Reserve reserves the slot for a request that comes soon: the pool does not grant it to tries
	// of lower priority until then.
	Reserve bool `json:"reserve,omitempty"`
}

// ReserveInput holds the slots that a run will request soon.
type ReserveInput struct {
	Messages []SlotMessage `json:"messages"`
}

// Reservation is a slot that a pool does not grant to tries of lower priority, until that time at
// most.
type Reservation struct {
	Slot  Slot      `json:"slot"`
	Until time.Time `json:"until"`
}

// PoolState is the state of a pool: the input of its workflow, and the answer to PoolQuery.
type PoolState struct {
	Name    string `json:"name"`
	Slots   int    `json:"slots"`
	Holders []Slot `json:"holders,omitempty"`
	// Waiting holds the requests in the order in which they will be granted.
	Waiting []Slot `json:"waiting,omitempty"`
	// Reserved holds the slots that are reserved and not requested yet.
	Reserved []Reservation `json:"reserved,omitempty"`
}
