package temporal

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

func TestDial(t *testing.T) {
	t.Run("an_unreachable_server_has_a_hint", func(t *testing.T) {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := free.Addr().String()
		require.NoError(t, free.Close())
		t.Setenv("TEMPORAL_ADDRESS", address)
		t.Setenv("TEMPORAL_CONFIG_FILE", t.TempDir()+"/none.toml")

		_, err = Dial(t.Context(), Options{})
		require.Equal(t, fault.Unreachable, fault.KindOf(err))
		require.ErrorContains(t, err, "cannot reach Temporal at "+address)
		require.ErrorContains(t, err, "make stack")
		require.ErrorContains(t, err, "TEMPORAL_ADDRESS")
	})

	t.Run("names_invalid_settings", func(t *testing.T) {
		t.Setenv("TEMPORAL_CONFIG_FILE", t.TempDir()+"/none.toml")
		t.Setenv("TEMPORAL_PROFILE", "no-such-profile")
		_, err := Dial(t.Context(), Options{})
		require.ErrorContains(t, err, "TEMPORAL_")
	})
}

func TestClassify(t *testing.T) {
	t.Run("distinguishes_faults_of_temporal_from_other_errors", func(t *testing.T) {
		c := &Connection{Address: "temporal.example:7233", Namespace: "pins"}
		for name, row := range map[string]struct {
			err  error
			next string // empty: the error stays as it is
		}{
			"no server":         {serviceerror.NewUnavailable("connection refused"), "make stack"},
			"no answer":         {serviceerror.NewDeadlineExceeded("late"), "TEMPORAL_ADDRESS"},
			"late context":      {context.DeadlineExceeded, "TEMPORAL_ADDRESS"},
			"missing namespace": {serviceerror.NewNamespaceNotFound("pins"), "temporal operator namespace create -n pins"},
			"wrong key":         {serviceerror.NewPermissionDenied("Request unauthorized.", ""), "TEMPORAL_API_KEY"},
			"no such workflow":  {serviceerror.NewNotFound("workflow not found"), ""},
			"any other":         {errors.New("run failed"), ""},
			"none":              {nil, ""},
		} {
			t.Run(name, func(t *testing.T) {
				got := c.Classify(row.err)
				if row.next == "" {
					require.Equal(t, row.err, got)
					return
				}
				require.True(t, fault.Unusable(got))
				require.ErrorIs(t, got, row.err)
				require.ErrorContains(t, got, row.next)
				require.ErrorContains(t, got, "temporal.example:7233")
				require.Equal(t, got, c.Classify(got), "an error is put into words once")
			})
		}
	})
}
