package workspace

import (
	"net/http"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/workspace/api"
)

func TestAuth(t *testing.T) {
	t.Parallel()
	t.Run("wrong_token_is_forbidden_as_in_the_service", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		wrong := jobs.NewJobs(newClient(t, w.URL(), "dapi-wrong"))
		_, err := wrong.GetRun(t.Context(), jobs.GetRunRequest{RunId: 1})
		require.ErrorIs(t, err, apierr.ErrPermissionDenied)
		requireAPIError(t, err, http.StatusForbidden, "403")

		status, header, body := w.call(http.MethodGet, "/api/2.2/jobs/runs/list", "dapi-wrong", "")
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, "Invalid access token.", header.Get("X-Databricks-Reason-Phrase"))
		require.EqualValues(t, 403, body["error_code"], "a number, not a text")
		require.Equal(t, "Invalid access token.", body["message"])
	})

	t.Run("missing_token_is_unauthorized", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		status, _, body := w.call(http.MethodGet, "/api/2.2/jobs/runs/list", "", "")
		require.Equal(t, http.StatusUnauthorized, status)
		require.EqualValues(t, 401, body["error_code"])
		require.Contains(t, body["message"], "Credential was not sent")
	})

	t.Run("token_counts_before_the_path", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		status, _, _ := w.call(http.MethodGet, "/api/2.2/nothing/here", "dapi-wrong", "")
		require.Equal(t, http.StatusForbidden, status)
	})

	t.Run("basic_with_the_user_token_is_accepted", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/api/2.2/jobs/runs/list", nil)
		require.NoError(t, err)
		request.SetBasicAuth("token", testToken)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, http.StatusOK, response.StatusCode)
	})
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	t.Run("unknown_endpoint_has_the_services_error", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for _, test := range []struct{ method, path, message string }{
			{http.MethodGet, "/api/2.2/jobs/runs/nothing", "No API found for 'GET /jobs/runs/nothing'"},
			{http.MethodPut, "/api/2.0/sql/statements", "No API found for 'PUT /sql/statements'"},
			{http.MethodGet, "/api/2.0/sql/statements", "No API found for 'GET /sql/statements'"},
			{http.MethodPost, "/api/2.0/jobs/runs/submit", "No API found for 'POST /jobs/runs/submit'"},
			{http.MethodPost, "/api/2.2/jobs/runs/repair", "No API found for 'POST /jobs/runs/repair'"},
		} {
			status, _, body := w.call(test.method, test.path, testToken, "{}")
			require.Equal(t, http.StatusNotFound, status, test.path)
			require.Equal(t, "ENDPOINT_NOT_FOUND", body["error_code"], test.path)
			require.Equal(t, test.message, body["message"])
		}
	})

	t.Run("sdk_discovers_the_workspace", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		c := newClient(t, w.URL(), testToken)
		require.Equal(t, workspaceID, c.Config.WorkspaceID)
		me, err := iam.NewCurrentUser(c).Me(t.Context(), iam.MeRequest{})
		require.NoError(t, err)
		require.Equal(t, api.UserName, me.UserName)
	})

	t.Run("errors_carry_the_request_id", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		_, header, body := w.call(http.MethodGet, "/api/2.2/jobs/runs/get?run_id=7", testToken, "")
		details := body["details"].([]any)[0].(map[string]any)
		require.NotEmpty(t, header.Get("X-Request-Id"))
		require.Equal(t, header.Get("X-Request-Id"), details["request_id"])
	})
}
