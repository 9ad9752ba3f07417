package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/imports"
	"github.com/pinflow/pinflow/starter/term"
)

// importOptions is the command line of `starter import`.
type importOptions struct {
	raw        string
	topics     []string
	asDate     string
	skipOthers bool
	dryRun     bool
}

func (a *app) importCommand() *cobra.Command {
	var o importOptions
	c := &cobra.Command{
		Use:   "import --raw s3://bucket[/folder]",
		Short: "Import the bucket of the pipeline before Pinflow",
		Long: "Import records that another pipeline has read from Kafka: objects of the Kafka Connect S3 sink,\n" +
			"topics/<topic>/partition=<p>/<topic>+<p>+<offset>.json, and events/event-<id>.json, each also gzipped. They become objects of the\n" +
			"deployment in the layout of landed ones, which the next runs of their dates load and clean as those from Kafka. The bucket at --raw\n" +
			"is only read.\n\n" +
			"A topic whose name ends in .pin, .geo or .user has records of that kind; those of events/ and of the topic of posts have the fields of\n" +
			"all three. --topic says it for other names.\n\n" +
			"The logical date is that of each object's time in S3, or --as-date. After an interruption the same command continues; a second time\n" +
			"it imports only what is new.",
		Example: "  starter import --raw s3://old-bucket --dry-run\n  starter import --raw s3://old-bucket --as-date 2022-10-17\n" +
			"  starter import --raw s3://old-bucket --topic 0a1b.pin --topic places=geo --topic events=pin",
		GroupID: groupSystems,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.importRaw(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.raw, "raw", "", "`address` of the bucket or folder that has topics/ and events/, as s3://bucket/folder")
	f.StringArrayVar(&o.topics, "topic", nil, "`topic` to import, or topic=kind with the kind pin, geo, user or post (repeatable; default all)")
	f.StringVar(&o.asDate, "as-date", "", "logical `date` of all records (default that of each object's time, in UTC)")
	f.BoolVar(&o.skipOthers, "skip-others", false, "leave out objects that the other pipeline does not write")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be imported")
	return cli.Annotate(prints(c, formTable, formJSON), cli.AllDAGs, "true")
}

// importRaw imports, and prints what was imported and what to run next.
func (a *app) importRaw(c *cobra.Command, o importOptions) error {
	in, err := a.openImport(c.Context(), o)
	if err != nil {
		return err
	}
	if o.dryRun {
		result, err := in.Plan(c.Context())
		if err != nil {
			return err
		}
		return a.print(c, result, func() { a.view.ImportPlan(result) })
	}
	report, end := a.view.Importing()
	in.Progress = report
	result, err := in.Run(c.Context())
	end()
	switch {
	case c.Context().Err() != nil:
		return fmt.Errorf("stopped after %d records (%w): the same command continues", result.Records, context.Cause(c.Context()))
	case err != nil:
		return err
	}
	if err := a.print(c, result, func() { a.view.Imported(result, a.history.Command) }); err != nil || len(result.Changed) == 0 {
		return err
	}
	return fmt.Errorf("since they were listed, %s changed or went, as %s: run the command again, which imports what is new",
		term.Count(int64(len(result.Changed)), "object"), result.Changed[0])
}

// openImport checks the flags and opens both buckets.
func (a *app) openImport(ctx context.Context, o importOptions) (*imports.Import, error) {
	bucket, folder, err := s3.ParseURI(o.raw)
	if err != nil {
		return nil, exit.Usagef("--raw: %w", err)
	}
	if own := a.settings.Deployment.Folder(); bucket == a.settings.Bucket && (strings.HasPrefix(folder, own) || strings.HasPrefix(own, folder+"topics/")) {
		return nil, exit.Usagef("--raw %s: that is what this deployment itself has landed", o.raw)
	}
	date, err := flags.OptionalDate(a.Now(), "--as-date", o.asDate)
	if err == nil && date != "" {
		date, err = flags.Date(a.Now(), "--as-date", o.asDate)
	}
	if err != nil {
		return nil, err
	}
	topics, err := imports.ParseTopics(a.settings.Topics(), o.topics)
	if err != nil {
		return nil, &exit.UsageError{Err: err}
	}
	source, err := a.systems.Source(ctx, a.settings, o.raw)
	if err != nil {
		return nil, s3.Classify(err)
	}
	objects, err := a.systems.Bucket(ctx, a.settings)
	if err != nil {
		return nil, s3.Classify(err)
	}
	return &imports.Import{Source: source, Objects: objects, Topics: topics, AsDate: date, SkipOthers: o.skipOthers, Progress: func(int, int) {}}, nil
}
