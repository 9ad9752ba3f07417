package run

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/dates"
)

func TestDeployment(t *testing.T) {
	t.Run("is_a_part_of_all_names", func(t *testing.T) {
		d := Deployment("dev")
		fired := time.Date(2022, 10, 19, 0, 0, 0, 500, time.FixedZone("CEST", 2*60*60))
		require.Equal(t, []string{
			"dev", "dev.d.2022-10-18", "dev.d.backfill.2022-10-18.2022-10-19", "dev.pools", "dev.d", "dev.d.scheduled",
			"dev.d.scheduled-2022-10-18T22:00:00Z", "dev d 2022-10-18 load try 2", "dev-landing", "dev/",
		}, []string{
			d.TaskQueue(), d.WorkflowID("d", "2022-10-18"), d.RangeWorkflowID("d", "2022-10-18", "2022-10-19"), d.PoolsID(), d.ScheduleID("d"),
			d.ScheduledRangePrefix("d"), d.ScheduledRangeID("d", fired), d.JobRunName("d", "2022-10-18", "load", 2), d.ConsumerGroup(), d.Folder(),
		})
	})

	t.Run("has_a_form_that_all_systems_accept", func(t *testing.T) {
		for _, good := range []Deployment{DefaultDeployment, "d", "pinflow-dev-2", Deployment(strings.Repeat("a", 40))} {
			require.NoError(t, good.Check(), good)
		}
		for _, bad := range []Deployment{"", "Dev", "2dev", "-dev", "de.v", "de/v", "de v", "de_v", "dév", "dev\n", Deployment(strings.Repeat("a", 41))} {
			require.ErrorContains(t, bad.Check(), "lower-case letters", string(bad))
		}
	})

	// Whoever asks Temporal, Databricks, S3 or Kafka by a name must never get what is another one's.
	t.Run("never_gives_two_things_one_name", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			a, b := drawThing(t), drawThing(t)
			require.Equal(t, a == b, a.workflowID() == b.workflowID(), "%+v is %s, %+v is %s", a, a.workflowID(), b, b.workflowID())
			if a.deployment != b.deployment {
				require.NotEqual(t, a.deployment.TaskQueue(), b.deployment.TaskQueue())
				require.NotEqual(t, a.deployment.ConsumerGroup(), b.deployment.ConsumerGroup())
				require.False(t, strings.HasPrefix(a.deployment.Folder(), b.deployment.Folder()), "a folder in the folder of the other")
			}
			require.Equal(t, a.deployment == b.deployment && a.name == b.name, a.deployment.ScheduleID(a.name) == b.deployment.ScheduleID(b.name))
		})
	})

	t.Run("tells_the_databricks_runs_of_its_tasks_from_all_others", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			type task struct {
				deployment Deployment
				dag        string
				date       dates.Date
				id         string
			}
			draw := func() task {
				return task{Deployment(hardName().Draw(t, "deployment")), hardName().Draw(t, "dag"), hardDate().Draw(t, "date"),
					rapid.SampledFrom([]string{"a", "try", "try_1", "a_b"}).Draw(t, "task")}
			}
			a, b := draw(), draw()
			name := b.deployment.JobRunName(b.dag, b.date, b.id, rapid.IntRange(1, 11).Draw(t, "try"))
			span, ok := a.deployment.DatesOfJobRun(name, a.dag, a.id)
			require.Equal(t, a.deployment == b.deployment && a.dag == b.dag && a.id == b.id, ok)
			require.True(t, !ok || span == DateSpan{b.date, b.date})
			id, ok := a.deployment.TaskOfJobRun(name, a.dag, a.date)
			require.Equal(t, a.deployment == b.deployment && a.dag == b.dag && a.date == b.date, ok)
			require.True(t, !ok || id == b.id)

			days := []dates.Date{b.date, b.date.Add(rapid.IntRange(1, 3).Draw(t, "days"))}
			name = b.deployment.GroupJobRunName(b.dag, days, b.id, 1)
			span, ok = a.deployment.DatesOfJobRun(name, a.dag, a.id)
			require.Equal(t, a.deployment == b.deployment && a.dag == b.dag && a.id == b.id, ok)
			require.True(t, !ok || span == DateSpan{days[0], days[1]})
			require.Equal(t, ok && days[0] <= a.date && a.date <= days[1], ok && span.Overlap([]dates.Date{a.date}))
			_, alone := a.deployment.TaskOfJobRun(name, a.dag, a.date)
			require.False(t, alone, "the run of a group is not that of a date")
		})
	})
}

// hardName draws names that are hard to tell apart: short, or with words that are parts of ids.
func hardName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"a", "a-b", "pools", "backfill", "scheduled", "a-backfill-2022-10-18", "a-scheduled-2022-10-18", "a-2022-10-18", "try"}),
		rapid.StringMatching(`[a-z][a-z0-9-]{0,2}`),
	)
}

func hardDate() *rapid.Generator[dates.Date] {
	return rapid.SampledFrom([]dates.Date{"2022-10-18", "2022-10-19"})
}

// thing is what has a workflow id: a run, a backfill, the range of a firing, or the Pools workflow.
type thing struct {
	kind       string
	deployment Deployment
	name       string     // of the DAG; the Pools workflow has none
	from, to   dates.Date // from is the date of a run and the day of a firing; the Pools workflow has none
}

func drawThing(t *rapid.T) thing {
	a := thing{
		kind: rapid.SampledFrom([]string{"run", "backfill", "scheduled", "pools"}).Draw(t, "kind"), deployment: Deployment(hardName().Draw(t, "deployment")),
	}
	if a.kind != "pools" {
		a.name = hardName().Draw(t, "name")
		a.from = hardDate().Draw(t, "from")
	}
	if a.kind == "backfill" {
		a.to = hardDate().Draw(t, "to")
	}
	return a
}

func (a thing) workflowID() string {
	switch a.kind {
	case "run":
		return a.deployment.WorkflowID(a.name, a.from)
	case "backfill":
		return a.deployment.RangeWorkflowID(a.name, a.from, a.to)
	case "scheduled":
		return a.deployment.ScheduledRangeID(a.name, a.from.Start())
	}
	return a.deployment.PoolsID()
}
