package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/run"
)

// starts is a starter that is a function.
type starts func(client.StartWorkflowOptions, any, []any) error

func (s starts) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	return nil, s(options, workflow, args)
}

func TestPoolsKeeper(t *testing.T) {
	t.Parallel()
	t.Run("starts_the_workflow_or_finds_it_running", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		started := 0
		k := &poolsKeeper{deployment: "dev", log: slog.New(slog.NewTextHandler(&log, nil)), temporal: starts(func(options client.StartWorkflowOptions, workflow any, args []any) error {
			started++
			require.Equal(t, []any{"dev.pools", "dev", run.PoolsWorkflow, []any{run.PoolsState{}}}, []any{options.ID, options.TaskQueue, workflow, args})
			require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, options.WorkflowIDConflictPolicy)
			cancel()
			return nil
		})}
		k.start(ctx)()
		require.Equal(t, 1, started)
		require.Empty(t, log.String())
	})

	t.Run("a_failure_is_logged_and_tried_again", func(t *testing.T) {
		t.Parallel()
		var log bytes.Buffer
		k := &poolsKeeper{deployment: "dev", log: slog.New(slog.NewTextHandler(&log, nil)), temporal: starts(func(client.StartWorkflowOptions, any, []any) error {
			return errors.New("unavailable")
		})}
		k.keep(t.Context())
		require.Contains(t, log.String(), "unavailable")
		require.Contains(t, log.String(), "dev.pools")
	})
}
