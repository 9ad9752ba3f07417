package operators

import (
	"errors"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/steps"
)

// Load brings the records of a date from Kafka into the lake. It lands each topic in S3, all
// partitions in parallel, and then runs a notebook that loads the landed objects. Only the notebook
// holds a slot of the pool: landed objects of different dates do not conflict.
type Load struct {
	// Topics holds kinds of record, such as pin. Activities add the prefix of the topics' names.
	Topics []string `json:"topics"`
	// Optional holds kinds of record that land, too, if their topics exist.
	Optional []string `json:"optional,omitempty"`
	// Notebook is the name of the notebook, without folder and extension.
	Notebook string `json:"notebook"`
	// SkipEmpty skips everything downstream if the date has no records.
	SkipEmpty bool `json:"skipEmpty,omitempty"`
	// Together reports whether the notebook takes several dates at once, in logical_dates.
	Together bool `json:"together,omitempty"`
}

// Effects returns the kinds of record that the task lands, and whether its notebook takes several
// dates.
func (l Load) Effects() dag.Effects {
	return dag.Effects{Lands: slices.Concat(l.Topics, l.Optional), Together: l.Together}
}

// Prepare lands all topics. If one fails, the others still land, so that the next try has less to
// do.
func (l Load) Prepare(ctx workflow.Context, try TaskInstance) (run.Outcome, error) {
	all := l.Effects().Lands
	outcomes := make([]run.Outcome, len(all))
	errs := make([]error, len(all))
	topics := workflow.NewWaitGroup(ctx)
	for i, topic := range all {
		topics.Add(1)
		workflow.Go(ctx, func(ctx workflow.Context) {
			defer topics.Done()
			outcomes[i], errs[i] = land(ctx, try, topic, i >= len(l.Topics))
		})
	}
	topics.Wait(ctx)
	if err := errors.Join(errs...); err != nil {
		return run.Outcome{}, err
	}
	return sum(outcomes), nil
}

// GoesTogether reports whether the notebook has something to load.
func (l Load) GoesTogether(try TaskInstance) bool { return !l.SkipEmpty || try.Prepared.Rows > 0 }

// Run runs the notebook over the landed objects.
func (l Load) Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error) {
	if !l.GoesTogether(try) {
		out := try.Prepared
		out.SkipRest = true
		return out, nil
	}
	return runAlone(ctx, l, try)
}

// RunTogether runs the notebook over the landed objects of several dates.
func (l Load) RunTogether(ctx workflow.Context, tries []TaskInstance) ([]run.Outcome, error) {
	outs, err := Notebook{Name: l.Notebook}.RunTogether(ctx, tries)
	for i, job := range outs {
		outs[i] = tries[i].Prepared
		outs[i].Link, outs[i].JobRunID, outs[i].Together = job.Link, job.JobRunID, job.Together
		outs[i].Notebook, outs[i].NotebookHash = job.Notebook, job.NotebookHash
	}
	return outs, err
}

// ReportsStart marks an operator whose Run reports the Databricks run.
func (l Load) ReportsStart() {}

func (l Load) describe() string { return "notebook " + l.Notebook }

// land lands one topic: the plan, then the partitions that have records, then the manifest.
func land(ctx workflow.Context, try TaskInstance, topic string, optional bool) (run.Outcome, error) {
	var planned landing.Plan
	in := landing.PlanInput{Topic: topic, Date: try.Date, Optional: optional, Accept: accepted(try)}
	if err := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.PlanPolicy, try.Summary("plan landing of %s", topic)), steps.PlanLanding, in).Get(ctx, &planned); err != nil {
		return run.Outcome{}, err
	}
	if planned.Missing {
		return run.Outcome{Counted: true, Until: planned.Until, Partial: planned.Partial}, nil
	}
	var landings []workflow.Future
	for _, ranges := range planned.Groups {
		in := landing.PartitionsInput{Topic: planned.Topic, Date: try.Date, Ranges: ranges}
		summary := try.Summary("land %d offsets of %s in %d partitions", in.Offsets(), topic, len(ranges))
		if len(ranges) == 1 {
			r := ranges[0]
			summary = try.Summary("land %s partition %d, offsets %d to %d", topic, r.Partition, r.Start, r.End)
		}
		land := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.LandPolicy, summary), steps.LandPartitions, in)
		landings = append(landings, land)
	}
	var errs []error
	for _, l := range landings {
		errs = append(errs, l.Get(ctx, nil))
	}
	if err := errors.Join(errs...); err != nil {
		return run.Outcome{}, err
	}
	var manifest landing.ManifestSummary
	written := landing.ManifestInput{Plan: planned, Accept: accepted(try)}
	if err := steps.ExecuteQuick(ctx, steps.ManifestPolicy, try.Summary("write manifest of %s", topic), steps.WriteManifest, written, &manifest); err != nil {
		return run.Outcome{}, err
	}
	until := planned.Until
	if !planned.Partial || until.IsZero() {
		until = try.Date.End()
	}
	return run.Outcome{URI: manifest.URI, Rows: manifest.Records, Bytes: manifest.Bytes, Counted: true, Remarks: manifest.Remarks, Until: until, Partial: planned.Partial}, nil
}

// accepted returns the acceptance of lost records with which the run was started, or nil.
func accepted(try TaskInstance) *landing.Acceptance {
	if try.AcceptGaps == "" {
		return nil
	}
	return &landing.Acceptance{By: try.By, Reason: try.AcceptGaps}
}

// sum adds up the outcomes of the topics. The sum is partial if one of them is, and saw the date up
// to the earliest of their times.
func sum(parts []run.Outcome) run.Outcome {
	var all run.Outcome
	for i, part := range parts {
		if i == 0 {
			all.URI = part.URI
		}
		all.Rows += part.Rows
		all.Bytes += part.Bytes
		all.Remarks = append(all.Remarks, part.Remarks...)
		all.Counted = all.Counted || part.Counted
		all.Partial = all.Partial || part.Partial
		if all.Until.IsZero() || part.Until.Before(all.Until) {
			all.Until = part.Until
		}
	}
	return all
}
