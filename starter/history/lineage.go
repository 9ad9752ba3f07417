package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// Lineage is the origin of a table of a date.
type Lineage struct {
	Answer     string            `json:"answer"`
	Date       dates.Date        `json:"date"`
	WorkflowID string            `json:"workflowId"`
	RunID      string            `json:"runId"`
	Trigger    run.Trigger       `json:"trigger"`
	Params     map[string]string `json:"params,omitempty"`
	Partial    bool              `json:"partial"`
	Rows       *int64            `json:"rows,omitempty"`
	Made       run.Task          `json:"made"`
	From       []run.Task        `json:"from"`
	// Landed holds the objects and offsets of the date, one manifest for each topic.
	Landed []landing.Manifest `json:"landed"`
	// Earlier holds the other dates whose rows the tables had. RebuiltBy is the date whose run has
	// since rebuilt the table.
	Earlier   []dates.Date `json:"earlier"`
	RebuiltBy dates.Date   `json:"rebuiltBy,omitempty"`
}

// Lineage returns the origin of a table of a date. The error is a *NoRunError if the date has not
// run.
func (r *Reader) Lineage(ctx context.Context, answer string, date dates.Date) (Lineage, error) {
	maker, ok := r.DAG.DAG.Maker(answer)
	if !ok {
		return Lineage{}, fmt.Errorf("no task of %s rebuilds %s", r.DAG.Name, answer)
	}
	entry, err := r.Entry(ctx, date)
	if err != nil {
		return Lineage{}, err
	}
	if entry == nil {
		return Lineage{}, r.noRun(date)
	}
	status := entry.Status
	found := Lineage{
		Answer: answer, Date: date, WorkflowID: status.WorkflowID, RunID: status.RunID, Trigger: status.Trigger, Params: status.Params,
		Partial: status.Partial, Made: status.Task(maker.ID), From: []run.Task{}, Landed: []landing.Manifest{}, Earlier: []dates.Date{},
	}
	if found.Made.State != run.Success {
		return Lineage{}, fmt.Errorf("the run of %s did not rebuild it: its task %s is %s; see `%s`", date, maker.ID, found.Made.State, r.Command("status "+string(date)))
	}
	for _, made := range found.Made.Tables {
		if made.Table == answer {
			found.Rows = &made.Rows
		}
	}
	sources, topics := r.DAG.DAG.Sources(maker.ID)
	for _, id := range sources {
		found.From = append(found.From, status.Task(id))
	}
	if found.Landed, err = r.manifests(ctx, topics, date); err != nil {
		return Lineage{}, err
	}
	return found, r.neighbours(ctx, &found, maker.ID)
}

// manifests returns those of the date's topics. A topic without one is left out: something else
// landed it.
func (r *Reader) manifests(ctx context.Context, kinds []string, date dates.Date) ([]landing.Manifest, error) {
	objects, err := r.bucket(ctx)
	if err != nil {
		return nil, s3.Classify(err)
	}
	all := []landing.Manifest{}
	for _, kind := range kinds {
		manifest, err := landing.ReadManifest(ctx, objects, r.Settings.Topic(kind), date)
		if errors.Is(err, bucket.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, s3.Classify(err)
		}
		for p := range manifest.Partitions {
			for o, object := range manifest.Partitions[p].Objects {
				manifest.Partitions[p].Objects[o].Key = objects.URI(object.Key)
			}
		}
		all = append(all, manifest)
	}
	return all, nil
}

// neighbours adds the dates whose rows the tables had beside those of the date, and the date whose
// run has since rebuilt the table.
func (r *Reader) neighbours(ctx context.Context, found *Lineage, maker string) error {
	entries, err := r.Entries(ctx, "0001-01-01", dates.Of(r.Now()))
	if err != nil {
		return err
	}
	latest := found.Made.Ended
	for _, entry := range entries {
		if entry.Date == found.Date {
			continue
		}
		for _, task := range entry.Tasks {
			if task.State != run.Success || task.Ended.IsZero() {
				continue
			}
			if task.ID == maker && task.Ended.After(latest) {
				latest, found.RebuiltBy = task.Ended, entry.Date
			}
			if slices.ContainsFunc(found.From, func(t run.Task) bool { return t.ID == task.ID }) && task.Ended.Before(found.Made.Started) &&
				!slices.Contains(found.Earlier, entry.Date) {
				found.Earlier = append(found.Earlier, entry.Date)
			}
		}
	}
	return nil
}
