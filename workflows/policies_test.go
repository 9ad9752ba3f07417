package workflows

import (
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/landing"
)

func TestPolicies(t *testing.T) {
	t.Run("every_activity_name_is_a_method", func(t *testing.T) {
		for name, owner := range map[string]any{
			planLanding: &landing.Activities{}, landPartition: &landing.Activities{}, writeManifest: &landing.Activities{},
			startNotebook: &activities.Notebooks{}, waitNotebook: &activities.Notebooks{}, cancelNotebook: &activities.Notebooks{},
			readLedger: &activities.Ledger{}, writeLedger: &activities.Ledger{},
			sendToPools: &activities.Pools{}, runInPool: &activities.Pools{}, answerRequest: &activities.Pools{}, findClosed: &activities.Pools{}, findRequests: &activities.Pools{},
			awaitRun: &activities.Runs{}, checkPast: &activities.Past{}, countRows: &activities.Counting{},
		} {
			_, ok := reflect.TypeOf(owner).MethodByName(name)
			require.True(t, ok, "%T has no %s", owner, name)
		}
	})

	t.Run("attempts_have_a_timeout_and_long_ones_heartbeat", func(t *testing.T) {
		for name, p := range map[string]workflow.ActivityOptions{
			"plan": planPolicy, "land": landPolicy, "start": startPolicy, "wait": waitPolicy, "cancel": cancelPolicy, "ledger": ledgerPolicy, "pools": poolsPolicy, "answer": answerPolicy, "find": findPolicy, "await": awaitPolicy,
			"past": pastPolicy, "count": countPolicy, "inform": informPolicy,
		} {
			require.Positive(t, p.StartToCloseTimeout, name)
			require.NotNil(t, p.RetryPolicy, name)
			require.Zero(t, p.RetryPolicy.MaximumAttempts, "%s: time limits the retries, not their number", name)
			if p.StartToCloseTimeout.Minutes() > 1 {
				require.Positive(t, p.HeartbeatTimeout, "%s: without heartbeats a dead worker is not noticed", name)
			}
		}
	})
}

func TestWorkflows(t *testing.T) {
	// Workflow code that called another system directly would call it again in every replay.
	t.Run("import_no_sdk_of_another_system", func(t *testing.T) {
		files, err := os.ReadDir(".")
		require.NoError(t, err)
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, i := range parsed.Imports {
				path, err := strconv.Unquote(i.Path.Value)
				require.NoError(t, err)
				for _, foreign := range []string{"aws", "kafka", "databricks", "net/http", "database/sql", "internal/clients"} {
					require.NotContains(t, path, foreign, f.Name())
				}
			}
		}
	})
}
