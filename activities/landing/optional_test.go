package landing

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

// The topic of posts is optional: clusters of before POST /pin/ lack it.
func TestOptionalTopic(t *testing.T) {
	const posts = "Pinterest_data"
	plan := func(l *landings) (Plan, error) {
		return activitytest.ExecuteIn[Plan](activitytest.EnvironmentAt(l.now), l.PlanLanding, PlanInput{Topic: run.Post, Date: day, Optional: true})
	}

	t.Run("that_is_missing_lands_nothing", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		planned, err := plan(l)
		require.NoError(t, err)
		require.Equal(t, Plan{Topic: posts, Date: day, Until: day.End(), Missing: true}, planned)
		require.Empty(t, l.bucket.Keys(""), "when it is created, its first plan decides")
		l.now = at(day, 5)
		before := l.now
		planned, err = plan(l)
		require.NoError(t, err)
		require.Equal(t, Plan{Topic: posts, Date: day, Until: before, Missing: true, Partial: true}, planned)
	})

	t.Run("that_exists_lands", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.topics[posts] = newBroker(posts, 1).topics[posts]
		l.broker.produce(posts, 0, at(day, 1), "{}")
		planned, err := plan(l)
		require.NoError(t, err)
		require.False(t, planned.Missing)
		summary, err := l.landPlan(planned)
		require.NoError(t, err)
		require.EqualValues(t, 1, summary.Records)
	})

	t.Run("that_was_deleted_fails", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		require.NoError(t, l.bucket.Put(context.Background(), bucket.PutInput{Key: boundaryKey(posts, day.Add(-1)), Body: []byte(`{"0":5}`)}))
		_, err := plan(l)
		activitytest.RequireNonRetryable(t, err, failure.Missing, posts, "starter setup")
	})
}
