package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/run"
)

func (a *app) schedulePauseCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "pause",
		Short: "Stop the Schedule from starting runs",
		Long: "Pause stops the Schedule from starting runs; runs that are going go on. Dates that pass meanwhile stay gaps, which `starter status` shows.\n" +
			"They get overdue all the same, and raise alarms: nobody forgets a Schedule that is paused.",
		Example: "  starter schedule pause --reason \"the cluster moves, back on Monday\"",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkReason(reason); err != nil {
				return err
			}
			return a.withTemporal(func(c *cobra.Command, conn *temporal.Connection) error {
				if err := scheduleHandle(c.Context(), conn).Pause(c.Context(), client.SchedulePauseOptions{Note: reason}); err != nil {
					return scheduleError(conn, err)
				}
				return a.showSchedule(c, conn)
			})(c, args)
		},
	}
	c.Flags().StringVar(&reason, "reason", pausedByCommand, "`why`, for others to read")
	return prints(c, formTable, formJSON)
}

func checkReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return usagef("--reason is empty: say why the Schedule is paused, for others to read")
	}
	return nil
}

func (a *app) scheduleDeleteCommand() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "delete",
		Short: "Delete the Schedule; runs, ledger and data stay",
		Long: "Delete takes the Schedule away. Runs that are going go on, and what has run stays. From then on no date is expected: there are neither gaps nor alarms.\n" +
			"To stop it for a while, pause it.",
		Example: "  starter schedule delete\n  starter schedule delete --yes",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if !yes && !a.asks {
				return usagef("deleting Schedule %s needs --yes where nobody can be asked", run.ScheduleID(dailyName))
			}
			return a.withTemporal(func(c *cobra.Command, conn *temporal.Connection) error { return a.scheduleDelete(c, conn, yes) })(c, args)
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return prints(c, formTable, formJSON)
}

func (a *app) scheduleDelete(c *cobra.Command, conn *temporal.Connection, yes bool) error {
	id := run.ScheduleID(dailyName)
	handle := scheduleHandle(c.Context(), conn)
	if _, err := handle.Describe(c.Context()); err != nil {
		return scheduleError(conn, err)
	}
	if !yes {
		fmt.Fprintf(a.stderr, "This deletes Schedule %s of namespace %s at %s.\nType its name to go on: ", id, conn.Namespace, conn.Address)
		answer, err := bufio.NewReader(a.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if typed := strings.TrimSpace(answer); typed != id {
			return fmt.Errorf("nothing was deleted: %q is not %s", typed, id)
		}
	}
	if err := handle.Delete(c.Context()); err != nil {
		return scheduleError(conn, err)
	}
	if a.form(c) == formJSON {
		return a.printJSON(applied{ID: id, Outcome: deleted})
	}
	a.say("Schedule %s: deleted. Create it again with `starter schedule apply`.", id)
	return nil
}

// inZone writes a point in time as the clocks of a zone show it.
func inZone(at time.Time, zone string) string {
	location, err := time.LoadLocation(zone)
	if err != nil { // Temporal knows a zone that this machine does not
		return ""
	}
	return at.In(location).Format("2006-01-02 15:04:05 MST")
}
