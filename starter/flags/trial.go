package flags

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/trial"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/term"
)

// Trial is what the trial of a notebook can be given.
type Trial struct {
	date   string
	dry    bool
	params map[string]string
}

// Register adds the flags.
func (f *Trial) Register(c *cobra.Command) {
	c.Flags().StringVar(&f.date, "date", "", "logical `date`")
	c.Flags().BoolVar(&f.dry, "dry", false, "leave the tables untouched")
	c.Flags().StringToStringVar(&f.params, "param", nil, "parameter of the notebook, as `name=value` (repeatable)")
}

// Names returns the names of notebooks.
func Names(all []notebooks.Notebook) []string {
	names := make([]string, len(all))
	for i, notebook := range all {
		names[i] = notebook.Name
	}
	return names
}

// fixedParams holds the parameters that a trial sets.
var fixedParams = []string{"schema", "logical_date", "logical_dates", "run_id", "notebook_hash"}

// Input returns the trial of a notebook, one of all. All mistakes come at once.
func (f Trial) Input(
	now time.Time, settings config.Config, all []notebooks.Notebook, name string,
) (trial.Input, error) {
	var errName, errDate, errParams error
	at := slices.IndexFunc(all, func(n notebooks.Notebook) bool { return n.Name == name })
	if at < 0 && len(all) > 0 {
		errName = exit.Usagef("no notebook %q; the notebooks are %s", name, term.Join(Names(all)))
	}
	if f.date == "" {
		errDate = exit.Usagef("--date: name a logical date as YYYY-MM-DD, today or yesterday")
	}
	in := trial.Input{Dry: f.dry, Params: map[string]string{
		"raw_path": settings.RawPath(), "user_id": settings.UserID, "posts_topic": settings.Topic(run.Post), "invalid_followers": settings.InvalidFollowers,
	}}
	if errDate == nil {
		in.Date, errDate = Date(now, "--date", f.date)
	}
	for param := range f.params {
		if slices.Contains(fixedParams, param) || !slices.Contains(notebooks.Parameters, param) {
			known := term.Join(slices.Sorted(maps.Keys(in.Params)))
			errParams = errors.Join(errParams, exit.Usagef("--param %s: a trial takes %s", param, known))
		}
	}
	maps.Copy(in.Params, f.params)
	if settings.Warehouse == "" {
		errParams = errors.Join(errParams,
			exit.Usagef("a trial counts rows on a SQL warehouse: set PINFLOW_WAREHOUSE_ID to the id of one"))
	}
	if err := errors.Join(errName, errDate, errParams); err != nil {
		return in, err
	}
	if at >= 0 {
		in.Notebook = all[at]
	}
	return in, nil
}
