// Package search is how runs are found in Temporal's visibility store: the search attributes, and
// the list filters over them.
package search

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/run"
)

// Search attributes. `starter setup` creates them in the namespace.
var (
	// DAG is the name of the DAG.
	DAG = temporal.NewSearchAttributeKeyKeyword("PinflowDag")
	// Date is the start of the logical date.
	Date = temporal.NewSearchAttributeKeyTime("PinflowDate")
	// State is the run's state as it records it: running, held, success, failed or cancelled.
	State = temporal.NewSearchAttributeKeyKeyword("PinflowState")
	// Trigger is schedule, manual or backfill.
	Trigger = temporal.NewSearchAttributeKeyKeyword("PinflowTrigger")
	// Partial reports whether the run saw the date before it was over.
	Partial = temporal.NewSearchAttributeKeyBool("PinflowPartial")
	// Warned reports whether the run has succeeded with warnings. Other runs do not have it.
	Warned = temporal.NewSearchAttributeKeyBool("PinflowWarned")
	// Tags are the run's labels.
	Tags = temporal.NewSearchAttributeKeyKeywordList("PinflowTags")
)

// Attribute is a search attribute as the namespace has it.
type Attribute struct {
	Name string
	Type enumspb.IndexedValueType
}

// Attributes returns the search attributes that the namespace must have before a run starts.
func Attributes() []Attribute {
	keys := []temporal.SearchAttributeKey{DAG, Date, State, Trigger, Partial, Warned, Tags}
	all := make([]Attribute, len(keys))
	for i, key := range keys {
		all[i] = Attribute{Name: key.GetName(), Type: key.GetValueType()}
	}
	return all
}

// RunAttributes returns the search attributes with which a run starts. Setting them later would
// cost an event.
func RunAttributes(in run.Input) temporal.SearchAttributes {
	attributes := []temporal.SearchAttributeUpdate{
		DAG.ValueSet(in.DAG),
		Date.ValueSet(in.Date.Start()),
		Trigger.ValueSet(string(in.Trigger)),
		State.ValueSet(string(run.Running)),
	}
	if len(in.Tags) > 0 {
		attributes = append(attributes, Tags.ValueSet(in.Tags))
	}
	return temporal.NewSearchAttributes(attributes...)
}

// RangeAttributes returns the search attributes of a range. A range has no date, so that a search
// for a date finds runs only.
func RangeAttributes(dag string, trigger run.Trigger) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(DAG.ValueSet(dag), Trigger.ValueSet(string(trigger)))
}
