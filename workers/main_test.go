package main

import (
	"bytes"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// freeAddress returns an address on which nothing listens.
func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestMain(t *testing.T) {
	t.Run("reports_invalid_settings_before_it_starts", func(t *testing.T) {
		busy, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer busy.Close()
		away := freeAddress(t)
		for name, row := range map[string]struct {
			env  map[string]string
			args []string
			code int
			want []string
		}{
			"arguments":       {nil, []string{"--help-me"}, exitUsage, []string{"--help-me", ".env.example"}},
			"wrong setting":   {map[string]string{"PINFLOW_INVALID_FOLLOWERS": "drop"}, nil, exitUsage, []string{"PINFLOW_INVALID_FOLLOWERS", "quarantine or null"}},
			"wrong level":     {map[string]string{"PINFLOW_LOG_LEVEL": "loud"}, nil, exitUsage, []string{"PINFLOW_LOG_LEVEL", "debug, info, warn or error"}},
			"wrong time":      {map[string]string{"PINFLOW_WORKER_STOP_TIMEOUT": "-5s"}, nil, exitUsage, []string{"PINFLOW_WORKER_STOP_TIMEOUT"}},
			"no time":         {map[string]string{"PINFLOW_WORKER_STOP_TIMEOUT": "soon"}, nil, exitUsage, []string{"StopTimeout"}},
			"busy port":       {map[string]string{"PINFLOW_WORKER_ADDRESS": busy.Addr().String()}, nil, exitUsage, []string{busy.Addr().String(), "PINFLOW_WORKER_ADDRESS"}},
			"Temporal is off": {map[string]string{"TEMPORAL_ADDRESS": away}, nil, exitUnreachable, []string{"cannot reach Temporal at " + away, "make stack"}},
		} {
			t.Run(name, func(t *testing.T) {
				t.Chdir(t.TempDir()) // no settings file
				t.Setenv("TEMPORAL_CONFIG_FILE", t.TempDir()+"/none.toml")
				t.Setenv("PINFLOW_WORKER_ADDRESS", "127.0.0.1:0")
				for variable, value := range row.env {
					t.Setenv(variable, value)
				}
				var stderr bytes.Buffer
				require.Equal(t, row.code, Main(t.Context(), row.args, &stderr), stderr.String())
				for _, want := range row.want {
					require.Contains(t, stderr.String(), want)
				}
			})
		}
	})
}
