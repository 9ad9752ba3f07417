package workflows

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// Search attributes of runs, by which the Web UI and `starter runs` find them. `starter setup` makes them in the namespace.
var (
	// AttributeDAG is the name of the DAG.
	AttributeDAG = temporal.NewSearchAttributeKeyKeyword("PinflowDag")
	// AttributeDate is the first moment of the logical date.
	AttributeDate = temporal.NewSearchAttributeKeyTime("PinflowDate")
	// AttributeState is the run's state: running, held, success or failed.
	AttributeState = temporal.NewSearchAttributeKeyKeyword("PinflowState")
	// AttributeTrigger is who asked for the run: schedule, manual or backfill.
	AttributeTrigger = temporal.NewSearchAttributeKeyKeyword("PinflowTrigger")
	// AttributePartial says that the run saw the date before it was over.
	AttributePartial = temporal.NewSearchAttributeKeyBool("PinflowPartial")
	// AttributeTags are the run's labels.
	AttributeTags = temporal.NewSearchAttributeKeyKeywordList("PinflowTags")
)

// SearchAttribute is one that the namespace must have before anything runs.
type SearchAttribute struct {
	Name string
	Type enumspb.IndexedValueType
}

// SearchAttributes are all that the workflows use.
func SearchAttributes() []SearchAttribute {
	keys := []temporal.SearchAttributeKey{AttributeDAG, AttributeDate, AttributeState, AttributeTrigger, AttributePartial, AttributeTags}
	all := make([]SearchAttribute, len(keys))
	for i, key := range keys {
		all[i] = SearchAttribute{Name: key.GetName(), Type: key.GetValueType()}
	}
	return all
}

// runAttributes are what a run of a date starts with. They cost no event, as setting them later would.
func runAttributes(in RunInput) temporal.SearchAttributes {
	attributes := []temporal.SearchAttributeUpdate{
		AttributeDAG.ValueSet(in.DAG),
		AttributeDate.ValueSet(in.Date.Start()),
		AttributeTrigger.ValueSet(string(in.Trigger)),
		AttributeState.ValueSet(string(Running)),
	}
	if len(in.Tags) > 0 {
		attributes = append(attributes, AttributeTags.ValueSet(in.Tags))
	}
	return temporal.NewSearchAttributes(attributes...)
}

// rangeAttributes are those of a range. It has no date of its own, so that a search for a date finds runs only.
func rangeAttributes(dag string, trigger Trigger) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(AttributeDAG.ValueSet(dag), AttributeTrigger.ValueSet(string(trigger)))
}
