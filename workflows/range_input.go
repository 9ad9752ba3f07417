package workflows

import (
	"errors"
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// MaxParallel is the most runs that a range keeps going. Temporal takes 2,000 pending children and activities of one workflow; a
// range of that width would only queue at pools.
const MaxParallel = 500

// RangeInput asks for the dates From to To, both included.
type RangeInput struct {
	DAG string `json:"dag"`
	// From and To are empty if a Schedule starts the range: it runs the date that has just ended.
	From dates.Date `json:"from,omitempty"`
	To   dates.Date `json:"to,omitempty"`
	// Parallel is how many dates run at the same time; 1 by default.
	Parallel  int       `json:"parallel,omitempty"`
	Reprocess Reprocess `json:"reprocess,omitempty"`
	// Backwards runs the latest date first.
	Backwards bool      `json:"backwards,omitempty"`
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// The following are those of the runs; see RunInput.
	Trigger    Trigger           `json:"trigger"`
	Params     map[string]string `json:"params,omitempty"`
	Hold       bool              `json:"hold,omitempty"`
	Again      []string          `json:"rerunTasks,omitempty"`
	IgnorePast bool              `json:"ignorePast,omitempty"`
	Deadline   time.Duration     `json:"runTimeout,omitempty"`
	By         string            `json:"triggeredBy,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	// Carried is what the range hands to itself when it continues as new. It is nil for everybody else.
	Carried *RangeProgress `json:"carried,omitempty"`
}

// CheckRange reports all that is wrong with the input of a range, at once.
func (c Catalog) CheckRange(in RangeInput, now time.Time) error { return c.checkRange(&in, now) }

// checkRange fills in the defaults and reports all that is wrong with the input at once.
func (c Catalog) checkRange(in *RangeInput, now time.Time) error {
	var errs [6]error
	dag, err := c.Lookup(in.DAG)
	errs[0] = err
	if err == nil {
		_, errs[5] = dag.From(in.Again...)
		errs[5] = errors.Join(errs[5], checkBackwards(dag, *in))
	}
	if in.From == "" && in.To == "" {
		errs[1] = errors.New("a range needs the dates from and to; only a Schedule may leave them out")
	} else {
		errs[1] = errors.Join(checkDate("from", in.From, now), checkDate("to", in.To, now))
		if errs[1] == nil && in.From > in.To {
			errs[1] = fmt.Errorf("from %s comes after to %s: swap them", in.From, in.To)
		}
	}
	if in.Parallel == 0 {
		in.Parallel = 1
	}
	errs[2] = checkParallel(in.Parallel)
	in.Reprocess, errs[3] = ParseReprocess(string(in.Reprocess))
	in.OnFailure, errs[4] = ParseOnFailure(string(in.OnFailure))
	if in.Trigger == "" {
		in.Trigger = Backfill
	}
	return errors.Join(errs[:]...)
}

// checkBackwards refuses an order in which dates would wait for others that come after them.
func checkBackwards(dag DAG, in RangeInput) error {
	if in.Backwards && !in.IgnorePast && dag.dependsOnPast() {
		return errors.New("backwards: tasks of this DAG depend on the past, so the latest date would wait for all others: run it forwards, or ignore the past")
	}
	return nil
}

func checkParallel(parallel int) error {
	if parallel < 1 || parallel > MaxParallel {
		return fmt.Errorf("parallel %d: it is between 1 and %d", parallel, MaxParallel)
	}
	return nil
}
