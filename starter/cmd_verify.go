package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/flags"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/verify"
)

// verifyOptions is the command line of `starter verify`.
type verifyOptions struct {
	date, from, to string
	all            bool
	skip           []string
}

// What --skip leaves out.
const (
	skipKafka  = "kafka"
	skipTables = "tables"
)

func (a *app) verifyCommand() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify [date]",
		Short: "Prove that no record of a date is missing or doubled",
		Long: "Verify reads the boundaries, manifests and objects of dates, compares the lines with the records that Kafka still has, and counts the rows of\n" +
			"the tables on the SQL warehouse: rows + quarantine + older duplicates = records. It changes nothing. A partial date is verified up to its end.\n\n" +
			"It says what is wrong, where, and what to do. What could not be checked is listed, and never counted as proven.\n\n" +
			"The exit code is 1 if something is wrong, 3 if nothing is and a system could not be reached.",
		Example: "  starter verify 2022-10-18\n  starter verify --from 2022-10-01 --to 2022-10-31\n  starter verify --all --skip tables -o json",
		GroupID: groupResults,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.date = args[0]
			}
			return a.verify(c, o)
		},
	}
	c.Flags().StringVar(&o.from, "from", "", "first `date`, YYYY-MM-DD")
	c.Flags().StringVar(&o.to, "to", "", "last `date`, YYYY-MM-DD")
	c.Flags().BoolVar(&o.all, "all", false, "all dates of which something has landed")
	c.Flags().StringSliceVar(&o.skip, "skip", nil, "`what` not to check: kafka, tables (repeatable)")
	_ = c.RegisterFlagCompletionFunc("skip", cobra.FixedCompletions([]string{skipKafka, skipTables}, cobra.ShellCompDirectiveNoFileComp))
	return prints(c, formTable, formJSON)
}

// days returns the dates that the command line names, or all mistakes in it; none for --all.
func (o verifyOptions) days(a *app) ([]dates.Date, error) {
	var errs []error
	for _, skip := range o.skip {
		if skip != skipKafka && skip != skipTables {
			errs = append(errs, exit.Usagef("--skip %s: want kafka or tables", skip))
		}
	}
	days, err := flags.Days(a.Now(), o.date, o.from, o.to, o.all)
	return days, errors.Join(append(errs, err)...)
}

// verify verifies dates and prints what it has found.
func (a *app) verify(c *cobra.Command, o verifyOptions) error {
	ctx := c.Context()
	days, err := o.days(a)
	if err != nil {
		return err
	}
	verifier, end, err := a.verifier(ctx, o)
	if err != nil {
		return err
	}
	defer end()
	if o.all {
		if days, err = verifier.Dates(ctx); err != nil {
			return s3.Classify(err)
		}
	}
	bar := a.StartProgress("verifying", 0)
	defer bar.End()
	verifier.Progress = func(done, total int64, what string) {
		bar.Total = total
		bar.Set(done, what)
	}
	report, lost, err := verifier.Verify(ctx, days)
	bar.End()
	if err != nil {
		return err
	}
	if err := a.print(c, report, func() { a.view.Verification(report) }); err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return exit.Shown(exit.Failed)
	}
	return a.shown(nil, lost)
}

// verifier connects what is needed; end disconnects it.
func (a *app) verifier(ctx context.Context, o verifyOptions) (_ *verify.Verifier, end func(), _ error) {
	objects, err := a.systems.Bucket(ctx, a.settings)
	if err != nil {
		return nil, nil, s3.Classify(err)
	}
	v := &verify.Verifier{Objects: objects, Command: a.history.Command, Cleaned: map[string][]string{}, Notebooks: a.notebooks, WarnOfGaps: a.settings.LostRecords == "warn"}
	for _, kind := range a.dag.DAG.Kinds() {
		v.Topics = append(v.Topics, a.settings.Topic(kind))
		if kind == run.Post {
			v.Optional = append(v.Optional, a.settings.Topic(kind))
		}
	}
	if len(v.Topics) == 0 {
		return nil, nil, exit.Usagef("the tasks of %s land no topics: there is nothing to verify. The topics of the others are %s", a.dag.Name, term.Join(a.catalog.Kinds()))
	}
	if err := a.verifiedTables(v, slices.Contains(o.skip, skipTables)); err != nil {
		return nil, nil, err
	}
	if slices.Contains(o.skip, skipKafka) {
		return v, func() {}, nil
	}
	records, err := a.systems.Records(ctx, a.settings)
	if err != nil {
		return nil, nil, kafka.Classify(err)
	}
	v.Kafka = records
	return v, records.Close, nil
}

// verifiedTables says which tables to count, and by which parameters they were made.
func (a *app) verifiedTables(v *verify.Verifier, skip bool) error {
	switch {
	case skip:
		v.WhyNoTables = "skipped"
		return nil
	case a.settings.Warehouse == "":
		v.WhyNoTables = "there is no SQL warehouse: set PINFLOW_WAREHOUSE_ID"
		return nil
	}
	ws, err := a.systems.Workspace()
	if err != nil {
		return err
	}
	v.Warehouse = ws.Warehouse(a.settings)
	for _, kind := range a.dag.DAG.Cleaned() {
		v.Cleaned[kind] = a.settings.Topics().Of(kind)
	}
	v.Params = func(ctx context.Context, date dates.Date) (map[string]string, error) {
		entry, err := a.history.Entry(ctx, date)
		if err != nil || entry == nil {
			return nil, err
		}
		return entry.Params, nil
	}
	v.InvalidFollowers = a.settings.InvalidFollowers
	return nil
}
