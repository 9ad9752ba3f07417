//go:build conformance

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSpark(t *testing.T) {
	t.Parallel()
	// The whole daily DAG, from the gateway to the answers, with open-source Spark and Delta Lake in
	// place of the workspace's own engine.
	t.Run("runs_the_daily_dag", func(t *testing.T) {
		onOwn.enter(t)
		require.NotEmpty(t, os.Getenv("PINFLOW_SPARK"), "make conformance-sql sets it")
		s := newSystem(t)
		stack, env, err := launchStack(s.data, s.offset, "--engine", "spark")
		require.NoError(t, err)
		s.stack, s.env = s.owned(stack), env
		s.startPrograms()
		s.post(wire.lines(t), 0, 1)
		s.must("run", today(), "--wait")
		requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
		s.must("run", today(), "--wait")
		requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
		logs, err := filepath.Glob(filepath.Join(s.data, "workspace", "spark", "warehouse", "*.db", "raw", "_delta_log", "*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, logs, "the tables are Delta Lake's")
	})
}
