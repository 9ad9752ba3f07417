package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// The health check of the gateway's container, whose image has no other program.
func TestHealthFlag(t *testing.T) {
	status := http.StatusOK
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "draining", status) }))
	defer served.Close()
	t.Setenv("PINFLOW_GATEWAY_ADDRESS", served.Listener.Addr().String())
	require.Equal(t, exitDone, run(t.Context(), []string{"-health"}, io.Discard, io.Discard))
	status = http.StatusServiceUnavailable
	var stderr bytes.Buffer
	require.Equal(t, exitFailed, run(t.Context(), []string{"-health"}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "draining")
}
