package databricks

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/stretchr/testify/require"
)

func TestNew(t *testing.T) {
	t.Run("requests_metadata_once", func(t *testing.T) {
		var asked atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/.well-known/databricks-config" {
				asked.Add(1)
				_, _ = w.Write([]byte(`{"account_id":"a1","workspace_id":"42","oidc_endpoint":"` + r.Host + `/oidc"}`))
			}
		}))
		defer server.Close()
		t.Setenv("DATABRICKS_HOST", server.URL)
		t.Setenv("DATABRICKS_TOKEN", "token")
		client, err := New()
		require.NoError(t, err)
		require.EqualValues(t, 1, asked.Load())
		require.Equal(t, "a1", client.Config.AccountID)
	})

	t.Run("does_not_wait_for_a_workspace_that_is_down", func(t *testing.T) {
		server := httptest.NewServer(http.NotFoundHandler())
		server.Close()
		t.Setenv("DATABRICKS_HOST", server.URL)
		t.Setenv("DATABRICKS_TOKEN", "token")
		asked := 0
		resolve := askOnce(func(ctx context.Context, host string) (*config.HostMetadata, error) {
			asked++
			return fetchHostMetadata(ctx, host)
		})
		for range 3 {
			metadata, err := resolve(t.Context(), server.URL)
			require.NoError(t, err)
			require.Nil(t, metadata)
		}
		require.Equal(t, 1, asked)
	})
}
