package steps

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
)

func TestPolicies(t *testing.T) {
	t.Run("every_activity_name_is_a_method", func(t *testing.T) {
		for name, owner := range map[string]any{
			PlanLanding: &landing.Activities{}, LandPartitions: &landing.Activities{}, WriteManifest: &landing.Activities{},
			StartNotebook: &activities.Notebooks{}, WaitNotebook: &activities.Notebooks{}, CancelNotebook: &activities.Notebooks{},
			ReadLedger: &activities.Ledger{}, WriteLedger: &activities.Ledger{},
			SendToPools: &activities.Pools{}, RunInPool: &activities.Pools{}, AnswerRequest: &activities.Pools{}, AnswerRequests: &activities.Pools{}, FindClosed: &activities.Pools{}, FindRequests: &activities.Pools{},
			AwaitRun: &activities.Runs{}, CheckPast: &activities.Past{}, CountRows: &activities.Counting{},
		} {
			_, ok := reflect.TypeOf(owner).MethodByName(name)
			require.True(t, ok, "%T has no %s", owner, name)
		}
	})

	t.Run("attempts_have_a_timeout_and_long_ones_heartbeat", func(t *testing.T) {
		for name, p := range map[string]workflow.ActivityOptions{
			"plan": PlanPolicy, "manifest": ManifestPolicy, "land": LandPolicy, "start": StartPolicy, "wait": WaitPolicy, "cancel": CancelPolicy, "ledger": LedgerPolicy, "pools": PoolsPolicy, "answer": AnswerPolicy, "find": FindPolicy, "await": AwaitPolicy,
			"past": PastPolicy, "count": CountPolicy, "inform": InformPolicy,
		} {
			require.Positive(t, p.StartToCloseTimeout, name)
			require.NotNil(t, p.RetryPolicy, name)
			require.Zero(t, p.RetryPolicy.MaximumAttempts, "%s: time limits the retries, not their number", name)
			if p.StartToCloseTimeout.Minutes() > 1 {
				require.Positive(t, p.HeartbeatTimeout, "%s: without heartbeats a dead worker is not noticed", name)
			}
		}
	})
	// The demo, and a kill of a worker in production, would wait a minute for its timeout.
	t.Run("the_plan_of_a_killed_worker_starts_again_soon", func(t *testing.T) {
		require.LessOrEqual(t, PlanPolicy.HeartbeatTimeout, 15*time.Second)
		require.GreaterOrEqual(t, PlanPolicy.HeartbeatTimeout, 3*landing.PlanHeartbeat, "a worker that is busy still lives")
	})
}
