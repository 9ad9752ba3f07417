package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
)

func (a *app) landCommand() *cobra.Command {
	dryRun := false
	c := &cobra.Command{
		Use:   "land <date> --dry-run",
		Short: "Show what landing a date would do",
		Long: "Land shows, for each topic and partition, what has landed of a date, the offsets that are left, and those that Kafka lost before they landed.\n" +
			"It plans as the task that lands does, and changes nothing: not even boundaries are fixed. Runs land: `starter run <date>`.\n\n" +
			"The exit code is 1 if a topic would not land, or has lost records.",
		Example: "  starter land 2022-10-18 --dry-run\n  starter land today --dry-run -o json",
		GroupID: groupViews,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			date, err := flags.Date(a.Now(), "date", args[0])
			var errDry error
			if !dryRun {
				errDry = exit.Usagef("land needs --dry-run: a run lands, for example `%s`", a.history.Command("run "+args[0]))
			}
			if err := errors.Join(err, errDry); err != nil {
				return err
			}
			return a.previewLanding(c, date)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "print the plan, land nothing")
	return prints(c, formTable, formJSON)
}

// previewLanding prints what landing a date would do.
func (a *app) previewLanding(c *cobra.Command, date dates.Date) error {
	ctx := c.Context()
	objects, err := a.systems.Bucket(ctx, a.settings)
	if err != nil {
		return s3.Classify(err)
	}
	reader, err := a.systems.Records(ctx, a.settings)
	if err != nil {
		return err
	}
	defer reader.Close()
	previews, bad := []landing.Preview{}, false
	for _, kind := range a.dag.DAG.Kinds() {
		in := landing.PreviewInput{Topic: a.settings.Topic(kind), Date: date, Now: a.Now().UTC()}
		found, err := landing.PreviewLanding(ctx, reader, objects, in)
		if errors.Is(err, kafka.ErrUnknownTopic) {
			found.Refused = "the topic does not exist: `starter setup` creates it"
		} else if err != nil && found.Refused == "" {
			return kafka.Classify(err)
		}
		bad = bad || found.Refused != "" || found.Lost > 0
		previews = append(previews, found)
	}
	if err := a.print(c, previews, func() { a.view.Landing(date, previews) }); err != nil {
		return err
	}
	if bad {
		return exit.Shown(exit.Failed)
	}
	return nil
}
