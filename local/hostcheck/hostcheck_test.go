package hostcheck

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnly(t *testing.T) {
	t.Parallel()
	served := Only(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "http://workspace:8090", "", "::")
	for host, want := range map[string]int{
		"localhost": 200, "localhost:8090": 200, "LocalHost:1": 200, "127.0.0.1:8090": 200, "127.9.9.9": 200, "[::1]:8090": 200, "[::ffff:127.0.0.1]:1": 200,
		"192.168.7.7:8090": 200, "workspace:8090": 200, "Workspace": 200,
		"evil.example": 421, "evil.example:8090": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:8090": 421, "workspace.evil.example": 421,
		"192.168.7.8": 421, "0.0.0.0:8090": 421, "": 421, "evil.example@127.0.0.1": 421, "127.0.0.1:8090.evil.example": 421, "2130706433": 421, "0x7f.1": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(192, 168, 7, 7), Port: 8090}))
		w := httptest.NewRecorder()
		served.ServeHTTP(w, r)
		require.Equal(t, want, w.Code, host)
		if want == http.StatusMisdirectedRequest {
			require.Contains(t, w.Body.String(), "use localhost")
		}
	}
}
