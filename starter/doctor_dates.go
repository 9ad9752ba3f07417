package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/clients/temporal"
)

const (
	// doctorDays is how many dates back the doctor looks, as many as the worker raises alarms about.
	doctorDays = 7
	// doctorNamed is how many dates it names.
	doctorNamed = 3
)

// checkDates looks for dates that are overdue, have failed or were seen in part. It asks Schedule, visibility and ledger, no worker.
func (a *app) checkDates(ctx context.Context, conn *temporal.Connection) (string, error) {
	description, err := scheduleHandle(ctx, conn).Describe(ctx)
	if err != nil && !errors.As(err, new(*serviceerror.NotFound)) {
		return "", conn.Classify(err)
	}
	since := a.yesterday().Add(1 - doctorDays)
	found, err := a.findGaps(ctx, conn, description, since)
	if err != nil {
		return "", err
	}
	var said []string
	more := 0
	for _, g := range found.gaps() {
		switch {
		case !g.Overdue && g.State != gapFailed && g.State != gapPartial:
		case len(said) == doctorNamed:
			more++
		default:
			said = append(said, g.inOneLine())
		}
	}
	if more > 0 {
		said = append(said, fmt.Sprintf("and %d more, see `starter status --days %d`", more, doctorDays))
	}
	switch {
	case len(said) > 0:
		return "", errors.New(strings.Join(said, "; "))
	case description == nil:
		return fmt.Sprintf("none has failed since %s; without a Schedule none is expected", since), nil
	}
	return fmt.Sprintf("none is overdue, has failed or was seen in part since %s", since), nil
}

// inOneLine is the gap with the command that mends it.
func (g gap) inOneLine() string {
	state := string(g.State)
	if g.Overdue && g.State != gapOverdue {
		state += ", overdue"
	}
	return fmt.Sprintf("%s %s (%s): `%s`", g.Date, state, firstLine(g.Cause, 60), g.Command)
}

// checkAlarms says whether alarms about overdue dates go anywhere. The worker has settings of its own; that they are the same is not checked.
func (a *app) checkAlarms(context.Context) []finding {
	return examine("alarms", checkup{"hook", func() (string, error) {
		if a.settings.AlarmHook == "" {
			return "none: overdue dates are in the worker's metrics and log alone; set PINFLOW_ALARM_HOOK to have them posted", nil
		}
		hook, err := url.Parse(a.settings.AlarmHook)
		if err != nil {
			return "", errors.New("PINFLOW_ALARM_HOOK is no URL")
		}
		return "the worker posts overdue dates to " + hook.Host, nil
	}})
}
