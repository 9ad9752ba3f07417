package healthcheck

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	serve := func(status int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/healthz" {
				status = http.StatusNotFound
			}
			http.Error(w, "draining", status)
		})
	}
	for name, test := range map[string]struct {
		start  func(http.Handler) *httptest.Server
		secure bool
	}{"HTTP": {httptest.NewServer, false}, "TLS": {httptest.NewTLSServer, true}} {
		healthy, draining := test.start(serve(http.StatusOK)), test.start(serve(http.StatusServiceUnavailable))
		defer healthy.Close()
		defer draining.Close()
		_, port, err := net.SplitHostPort(healthy.Listener.Addr().String())
		require.NoError(t, err)
		for _, address := range []string{"127.0.0.1:" + port, "0.0.0.0:" + port, ":" + port, "[::]:" + port} {
			require.NoError(t, Check(t.Context(), address, test.secure), name+address)
		}
		require.ErrorContains(t, Check(t.Context(), draining.Listener.Addr().String(), test.secure), "503 Service Unavailable: draining", name)
		require.Error(t, Check(t.Context(), "127.0.0.1:"+port, !test.secure), "the other scheme")
	}
	require.ErrorContains(t, Check(t.Context(), "8082", false), "8082")
	require.ErrorContains(t, Check(t.Context(), "127.0.0.1:1", false), "refused")
}
