package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

func (a *app) cancelCommand() *cobra.Command {
	var reason string
	var wait bool
	c := &cobra.Command{
		Use:   "cancel <date>",
		Short: "Cancel the run of a date, and its Databricks runs",
		Long: "Cancel ends the run of a date: the Databricks runs of its tasks are cancelled, and the tasks that have not started are skipped.\n" +
			"The order is kept by Temporal: if no worker is up, it is carried out when one is.",
		Example: "  starter cancel 2022-10-18 --reason \"wrong parameters\" --wait",
		GroupID: groupRepair,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := a.parseDate("date", args[0])
			if err != nil {
				return err
			}
			return a.cancel(c, date, orDefault(reason, "no reason given"), wait)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for others to read: it goes into the run's history and the date's notes")
	c.Flags().BoolVar(&wait, "wait", false, "wait until the run has ended")
	return prints(c, formTable, formJSON)
}

func (a *app) cancel(c *cobra.Command, date dates.Date, reason string, wait bool) error {
	ctx := c.Context()
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := a.mustBeGoing(c, conn, date); err != nil {
		return err
	}
	_, err = conn.WorkflowService().RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: conn.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.WorkflowID(dailyName, date)},
		Identity: a.operator(), Reason: reason,
	})
	if err != nil {
		return conn.Classify(err)
	}
	if err := a.addNote(ctx, date, "cancelled: "+reason); err != nil {
		a.note("The run is being cancelled, but the reason could not be noted: %v", err)
	}
	if wait {
		return a.awaitCancelled(c, conn, date)
	}
	if a.form(c) == formJSON {
		return a.printJSON(map[string]string{"date": string(date), "reason": reason})
	}
	a.say("The run of %s is being cancelled. Follow it with `starter status %s --watch`.", date, date)
	return nil
}

// awaitCancelled shows the run when it has ended. That it was cancelled is what was asked for, and no failure.
func (a *app) awaitCancelled(c *cobra.Command, conn *temporal.Connection, date dates.Date) error {
	run := conn.GetWorkflow(c.Context(), run.WorkflowID(dailyName, date), "")
	status, err := a.watchRun(c.Context(), conn, run, date, a.newRunView())
	if err != nil {
		return err
	}
	return a.showStatus(c, conn, status)
}

func (a *app) pauseCommand() *cobra.Command {
	return a.pauseOrResume("pause", "Let the run of a date start no more tasks; those at work finish", run.PauseUpdate, "The run of %s is paused.")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.pauseOrResume("resume", "Go on with the paused run of a date", run.ResumeUpdate, "The run of %s goes on.")
}

func (a *app) pauseOrResume(use, short, update, done string) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: use + " <date>", Short: short, GroupID: groupRepair, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := a.parseDate("date", args[0])
			if err != nil {
				return err
			}
			order := run.Pause{By: a.operator(), Reason: orDefault(reason, "no reason given")}
			return a.orderRun(c, date, update, order, fmt.Sprintf(done, date))
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, for others to read")
	return prints(c, formTable, formJSON)
}

func (a *app) noteCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "note <date> [text]",
		Short:   "Write a note on a date's runs, or read them",
		Long:    "Note keeps a text with a date, for `starter status` to show: it can be written while a run is going, after it, and with no worker up. Without a text the notes are listed.",
		Example: "  starter note 2022-10-18 \"the source delivered late; asked the team\"\n  starter note 2022-10-18",
		GroupID: groupRepair,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := a.parseDate("date", args[0])
			if err == nil && len(args) == 2 && orDefault(args[1], "") == "" {
				err = usagef("a note needs a text")
			}
			if err == nil && len(args) == 2 {
				err = a.addNote(c.Context(), date, args[1])
			}
			if err != nil {
				return err
			}
			return a.showNotes(c, date)
		},
	}
	return prints(c, formTable, formJSON)
}

func (a *app) addNote(ctx context.Context, date dates.Date, text string) error {
	objects, err := a.connect.bucket(ctx, a.settings)
	if err != nil {
		return s3.Classify(err)
	}
	notes := ledger.Notes{Objects: objects}
	return s3.Classify(notes.Add(ctx, ledger.Note{DAG: dailyName, Date: date, At: a.now(), By: a.operator(), Text: text}))
}

func (a *app) notesOf(ctx context.Context, date dates.Date) ([]ledger.Note, error) {
	objects, err := a.connect.bucket(ctx, a.settings)
	if err != nil {
		return nil, s3.Classify(err)
	}
	notes := ledger.Notes{Objects: objects}
	found, err := notes.Of(ctx, dailyName, date)
	return found, s3.Classify(err)
}

func (a *app) showNotes(c *cobra.Command, date dates.Date) error {
	notes, err := a.notesOf(c.Context(), date)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(notes)
	}
	if len(notes) == 0 {
		a.say("There are no notes on %s.", date)
	}
	a.printNotes(notes)
	return nil
}

func (a *app) printNotes(notes []ledger.Note) {
	for _, note := range notes {
		a.say("%s  %s: %s", moment(note.At), note.By, note.Text)
	}
}

// notesOrNone are the notes on a date. If they cannot be read, what is known of the run is shown all the same.
func (a *app) notesOrNone(ctx context.Context, date dates.Date) []ledger.Note {
	notes, err := a.notesOf(ctx, date)
	if err != nil && !errors.Is(err, context.Canceled) {
		a.note("The notes on %s cannot be read: %v", date, err)
	}
	return notes
}
