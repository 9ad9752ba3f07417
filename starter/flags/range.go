package flags

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// Range is the flags of a command that runs many dates.
type Range struct {
	Run
	Drop      Drop
	From, To  string
	Parallel  int
	Batch     int
	Reprocess string
	OnFailure string
	TaskFrom  []string
	Backwards bool
}

// Add adds the flags to a command. The definition and the tasks are for completion.
func (f *Range) Add(c *cobra.Command, definition func() (dag.Definition, error), tasks cobra.CompletionFunc) {
	flags := c.Flags()
	flags.StringVar(&f.From, "from", "", "first `date`, YYYY-MM-DD")
	flags.StringVar(&f.To, "to", "", "last `date`, YYYY-MM-DD")
	flags.IntVar(&f.Parallel, "parallel", 1, "number of `dates` that run at a time")
	flags.IntVar(&f.Batch, "batch", run.DefaultBatch,
		"number of `dates` that one Databricks run handles at most; 1 runs each date alone")
	flags.BoolVar(&f.Backwards, "backwards", false, "latest date first")
	flags.StringVar(&f.OnFailure, "on-failure", string(run.ContinueOnFailure),
		"`action` when dates fail: continue, stop or max=N")
	flags.StringArrayVar(&f.TaskFrom, "task-from", nil,
		"`task` to run again with everything downstream (repeatable); implies --reprocess all")
	_ = c.RegisterFlagCompletionFunc("task-from", tasks)
	Reprocess(c, &f.Reprocess, run.ReprocessNone)
	f.Run.Add(c, definition)
	f.Drop.Add(c)
}

// Read returns the range that the flags ask for, or all mistakes in them.
func (f *Range) Read(c *cobra.Command, now time.Time, definition dag.Definition, by string) (run.RangeInput, error) {
	in := run.RangeInput{
		DAG: definition.Name, Parallel: f.Parallel, Batch: f.Batch, Trigger: run.Backfill,
		Backwards: f.Backwards, TriggeredBy: by, Tags: f.Tags,
		Hold: f.Hold, IgnorePast: f.IgnorePast, AcceptGaps: f.Accepted(), RunTimeout: f.Timeout,
	}
	usage := func(flag string, err error) error {
		if err != nil {
			return exit.Usagef("--%s%w", flag, err)
		}
		return nil
	}
	reprocess := f.Reprocess
	if len(f.TaskFrom) > 0 && !c.Flags().Changed("reprocess") {
		reprocess = string(run.ReprocessAll)
	}
	var errs [9]error
	if f.From == "" || f.To == "" {
		errs[0] = exit.Usagef("a backfill needs --from and --to")
	} else {
		in.From, errs[0] = Date(now, "--from", f.From)
		in.To, errs[1] = Date(now, "--to", f.To)
		if errs[0] == nil && errs[1] == nil && in.From > in.To {
			errs[0] = exit.Usagef("--from %s comes after --to %s: swap them", in.From, in.To)
		}
	}
	in.Params, errs[2] = f.Run.Read(definition)
	var err error
	in.Reprocess, err = run.ParseReprocess(reprocess)
	errs[3] = usage("", err)
	in.OnFailure, err = run.ParseOnFailure(f.OnFailure)
	errs[4] = usage("", err)
	errs[5], errs[8] = usage("", run.CheckParallel(f.Parallel)), usage("", run.CheckBatch(f.Batch))
	if len(f.TaskFrom) > 0 {
		in.RerunTasks, err = definition.DAG.From(f.TaskFrom...)
		errs[6] = usage("task-from: ", err)
		in.Drop, errs[7] = f.Drop.Read(c, f.Run, definition)
	} else {
		errs[7] = f.Drop.Check()
	}
	return in, errors.Join(errs[:]...)
}
