package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// lineage is where an answer of a date comes from.
type lineage struct {
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
	// Landed are the objects and offsets of the date, a topic each.
	Landed []landing.Manifest `json:"landed"`
	// Earlier are the dates before whose rows the tables held, too; Since is the date whose run has made the table anew since.
	Earlier []dates.Date `json:"earlier"`
	Since   dates.Date   `json:"since,omitempty"`
}

func (a *app) whyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "why <answer> <date>",
		Short: "Tell where an answer comes from: notebooks, objects and offsets, runs and tries",
		Long: "Why tells which run of a date made an answer: the notebooks with the hashes of their sources, the Databricks runs and tries, and the\n" +
			"objects and offsets that were read. It reads the ledger and the manifests, which Temporal's retention does not touch.",
		Example: "  starter why users_joined_by_year 2022-10-18\n  starter why most_popular_category_by_year 2022-10-18 -o json",
		GroupID: groupResults,
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			date, errDate := a.parseDate("date", args[1])
			var errAnswer error
			if _, ok := answers.Lookup(args[0]); !ok {
				errAnswer = usagef("%q is no answer; there are %s", args[0], join(answers.Names()))
			}
			if err := errors.Join(errAnswer, errDate); err != nil {
				return err
			}
			return a.why(c, args[0], date)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return answers.Names(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	return prints(c, formTable, formJSON)
}

func (a *app) why(c *cobra.Command, answer string, date dates.Date) error {
	found, err := a.lineage(c.Context(), answer, date)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(found)
	}
	a.printLineage(found)
	return nil
}

// lineage reads where an answer of a date comes from.
func (a *app) lineage(ctx context.Context, answer string, date dates.Date) (lineage, error) {
	table, err := definitionOf(dailyName)
	if err != nil {
		return lineage{}, err
	}
	maker, ok := table.Maker(answer)
	if !ok {
		return lineage{}, fmt.Errorf("no task of %s makes %s", dailyName, answer)
	}
	entry, err := a.ledgerEntry(ctx, date)
	if err != nil {
		return lineage{}, err
	}
	if entry == nil {
		return lineage{}, &noRunError{date}
	}
	status := entry.Status
	found := lineage{
		Answer: answer, Date: date, WorkflowID: status.WorkflowID, RunID: status.RunID, Trigger: status.Trigger, Params: status.Params,
		Partial: status.Partial, Made: taskOf(status, maker.ID), From: []run.Task{}, Landed: []landing.Manifest{}, Earlier: []dates.Date{},
	}
	if found.Made.State != run.Success {
		return lineage{}, fmt.Errorf("the run of %s made no answers: its task %s is %s; see `starter status %s`", date, maker.ID, found.Made.State, date)
	}
	for _, made := range found.Made.Tables {
		if made.Table == answer {
			found.Rows = &made.Rows
		}
	}
	sources, topics := table.Sources(maker.ID)
	for _, id := range sources {
		found.From = append(found.From, taskOf(status, id))
	}
	if found.Landed, err = a.manifests(ctx, topics, date); err != nil {
		return lineage{}, err
	}
	return found, a.neighbours(ctx, &found, maker.ID)
}

func taskOf(status run.Status, id string) run.Task {
	i := slices.IndexFunc(status.Tasks, func(t run.Task) bool { return t.ID == id })
	if i < 0 {
		return run.Task{ID: id, State: run.None}
	}
	return status.Tasks[i]
}

// manifests are those of the date's topics. One that is not there is left out: the date was landed by something else.
func (a *app) manifests(ctx context.Context, kinds []string, date dates.Date) ([]landing.Manifest, error) {
	objects, err := a.connect.bucket(ctx, a.settings)
	if err != nil {
		return nil, s3.Classify(err)
	}
	all := []landing.Manifest{}
	for _, kind := range kinds {
		manifest, err := landing.ReadManifest(ctx, objects, a.settings.Topic(kind), date)
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

// neighbours finds the dates whose rows stood in the tables beside the date's, and the run that has made the answers anew since.
func (a *app) neighbours(ctx context.Context, found *lineage, maker string) error {
	entries, err := a.ledgerEntries(ctx, "0001-01-01", dates.Of(a.now()))
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
				latest, found.Since = task.Ended, entry.Date
			}
			if slices.ContainsFunc(found.From, func(t run.Task) bool { return t.ID == task.ID }) && task.Ended.Before(found.Made.Started) &&
				!slices.Contains(found.Earlier, entry.Date) {
				found.Earlier = append(found.Earlier, entry.Date)
			}
		}
	}
	return nil
}

func (a *app) printLineage(l lineage) {
	title := fmt.Sprintf("%s of %s", a.paint(text.Bold, l.Answer), a.paint(text.Bold, string(l.Date)))
	if l.Rows != nil {
		title += fmt.Sprintf(": %d rows", *l.Rows)
	}
	if l.Partial {
		title += ", partial"
	}
	a.say("%s\nmade by run %s of %s (%s)", title, l.RunID, l.WorkflowID, l.Trigger)
	g := grid{header: []string{"task", "try", "databricks run", "ended (utc)", "notebook", "sha256", "rows", "quarantined"}, right: []int{1, 2, 6, 7}}
	for _, task := range append(slices.Clone(l.From), l.Made) {
		try := number(int64(task.Tries))
		if task.Carried {
			try += " (earlier run)"
		}
		g.rows = append(g.rows, []string{
			task.ID, try, number(task.JobRunID), moment(task.Ended), task.Notebook, hashStart(task.NotebookHash), number(task.Rows), number(task.Quarantined),
		})
	}
	a.printGrid(g)
	for _, manifest := range l.Landed {
		a.say("\n%s: %d records landed, %d objects", a.paint(text.Bold, manifest.Topic), manifest.Records, objectCount(manifest))
		g := grid{header: []string{"partition", "offsets", "records", "sha256", "object"}, right: []int{0, 2}}
		for _, p := range manifest.Partitions {
			for _, object := range p.Objects {
				g.rows = append(g.rows, []string{fmt.Sprint(p.Partition), offsets(object), number(object.Records), hashStart(object.SHA256), object.Key})
			}
		}
		a.printGrid(g)
	}
	if n := len(l.Earlier); n > 0 {
		a.say("\nThe tables also held the rows of %d other dates, %s to %s: what a date leaves stays.", n, l.Earlier[0], l.Earlier[n-1])
	}
	if l.Since != "" {
		a.say("\nThe table has been made anew since, by the run of %s: `starter why %s %s`.", l.Since, l.Answer, l.Since)
	}
}

func objectCount(m landing.Manifest) int {
	n := 0
	for _, p := range m.Partitions {
		n += len(p.Objects)
	}
	return n
}

func offsets(o landing.Object) string {
	if o.Empty {
		return "none"
	}
	return fmt.Sprintf("[%d, %d)", o.Start, o.End)
}

// hashStart is the start of a hash, enough to tell it from others.
func hashStart(hash string) string { return hash[:min(shortHash, len(hash))] }
