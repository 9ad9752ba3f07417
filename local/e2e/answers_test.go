package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// today is a date that is not over: what lands until now is answered, and the run is partial.
func today() string { return time.Now().UTC().Format(time.DateOnly) }

// exportAnswers writes answers.json as the demo does.
func (s *system) exportAnswers() string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "answers.json")
	require.NoError(s.t, os.WriteFile(file, []byte(s.must("answers", "-o", "json")), 0o644))
	return file
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	// The records arrive in batches, each sent twice, with a run of the DAG between them: over
	// three partitions, landed in parts, cleaned again.
	t.Run("batches_sent_twice_with_runs_between", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		lines := wire.lines(t)
		const batches = 3
		for batch := range batches {
			for range 2 {
				s.post(lines, batch, batches)
			}
			s.must("run", today(), "--wait")
		}
		requireAnswers(t, wire.expected(t, 2), s.exportAnswers())
		s.must("run", today(), "--wait")
		requireAnswers(t, wire.expected(t, 2), s.exportAnswers())
	})

	t.Run("one_partition", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t, "PINFLOW_KAFKA_PARTITIONS=1")
		s.post(wire.lines(t), 0, 1)
		s.must("run", today(), "--wait")
		requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
	})
}

func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("parameter_keeps_invalid_followers", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		s.post(wire.lines(t), 0, 1)
		s.must("run", today(), "--wait", "--param", "invalid_followers=null")
		got, err := os.ReadFile(s.exportAnswers())
		require.NoError(t, err)
		require.NotContains(t, string(got), "pin:follower_count")
	})
}
