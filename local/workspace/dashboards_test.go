package workspace

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/dashboards"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/dashboard"
)

func (w *testWorkspace) lakeview() *dashboards.LakeviewAPI {
	return dashboards.NewLakeview(newClient(w.t, w.URL(), testToken))
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	create := func(t *testing.T, w *testWorkspace, name, content string) (*dashboards.Dashboard, error) {
		t.Helper()
		return w.lakeview().Create(t.Context(), dashboards.CreateDashboardRequest{Dashboard: dashboards.Dashboard{
			DisplayName: name, ParentPath: "/Shared", SerializedDashboard: content, WarehouseId: testWarehouse,
		}})
	}

	t.Run("are_files_of_the_workspace", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{DataDir: t.TempDir()})
		made, err := create(t, w, "Answers", `{"pages":[]}`)
		require.NoError(t, err)
		require.Equal(t, "/Shared/Answers.lvdash.json", made.Path)
		info := w.status(made.Path)
		require.Equal(t, workspace.ObjectTypeDashboard, info.ObjectType)
		require.Equal(t, made.DashboardId, info.ResourceId)

		dir := w.options.DataDir
		w.stop()
		w = startWorkspace(t, Options{DataDir: dir})
		got, err := w.lakeview().GetByDashboardId(t.Context(), made.DashboardId)
		require.NoError(t, err)
		require.Equal(t, made.SerializedDashboard, got.SerializedDashboard, "also after a restart")
		require.Equal(t, made.Etag, got.Etag)
		listed, err := w.lakeview().ListAll(t.Context(), dashboards.ListDashboardsRequest{})
		require.NoError(t, err)
		require.Len(t, listed, 1)
		require.Empty(t, listed[0].Path, "lists leave it out")

		require.NoError(t, w.lakeview().TrashByDashboardId(t.Context(), made.DashboardId))
		_, err = w.lakeview().GetByDashboardId(t.Context(), made.DashboardId)
		require.ErrorIs(t, err, apierr.ErrNotFound)
		_, err = w.tree.GetStatusByPath(t.Context(), made.Path)
		require.ErrorIs(t, err, apierr.ErrNotFound)
	})

	t.Run("are_published_as_they_were", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		made, err := create(t, w, "Answers", `{}`)
		require.NoError(t, err)
		_, err = w.lakeview().GetPublishedByDashboardId(t.Context(), made.DashboardId)
		require.ErrorIs(t, err, apierr.ErrNotFound)
		published, err := w.lakeview().Publish(t.Context(), dashboards.PublishRequest{DashboardId: made.DashboardId, EmbedCredentials: true})
		require.NoError(t, err)
		require.Equal(t, testWarehouse, published.WarehouseId)
		got, err := w.lakeview().GetPublishedByDashboardId(t.Context(), made.DashboardId)
		require.NoError(t, err)
		require.Equal(t, published, got)
		require.NoError(t, w.lakeview().UnpublishByDashboardId(t.Context(), made.DashboardId))
		_, err = w.lakeview().GetPublishedByDashboardId(t.Context(), made.DashboardId)
		require.ErrorIs(t, err, apierr.ErrNotFound)
	})

	t.Run("reject_what_the_service_rejects", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		made, err := create(t, w, "Answers", `{"a":1}`)
		require.NoError(t, err)
		_, err = create(t, w, "Answers", `{}`)
		require.ErrorContains(t, err, "already exists")
		_, err = create(t, w, "Other", `[`)
		require.ErrorContains(t, err, "Failed to parse serialized dashboard")
		_, err = create(t, w, "", `{}`)
		require.ErrorContains(t, err, "display_name")
		_, err = create(t, w, "../../etc/x", `{}`)
		require.ErrorContains(t, err, "slash")
		_, err = w.lakeview().Create(t.Context(), dashboards.CreateDashboardRequest{Dashboard: dashboards.Dashboard{DisplayName: "x", ParentPath: "/Shared/none"}})
		require.ErrorIs(t, err, apierr.ErrNotFound)
		_, err = w.lakeview().GetByDashboardId(t.Context(), "..%2f..%2fruns")
		require.ErrorIs(t, err, apierr.ErrNotFound)

		update := dashboards.UpdateDashboardRequest{DashboardId: made.DashboardId, Dashboard: dashboards.Dashboard{SerializedDashboard: `{"a":2}`, Etag: made.Etag}}
		updated, err := w.lakeview().Update(t.Context(), update)
		require.NoError(t, err)
		require.NotEqual(t, made.Etag, updated.Etag)
		_, err = w.lakeview().Update(t.Context(), update)
		require.ErrorContains(t, err, "was modified since")
		got, err := w.lakeview().GetByDashboardId(t.Context(), made.DashboardId)
		require.NoError(t, err)
		require.Equal(t, `{"a":2}`, got.SerializedDashboard)
		require.Equal(t, testWarehouse, got.WarehouseId, "what the request leaves out stays")
	})

	t.Run("are_pushed_once", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		target := dashboard.Target{
			Lakeview: w.lakeview(), Tree: w.tree, Folder: "/Shared/dev/deep", DAG: "d", Tables: answers.Tables([]string{"users_joined_by_year"}),
			Warehouse: &answers.Warehouse{ID: testWarehouse, Schema: "dev"},
		}
		for _, want := range []dashboard.State{dashboard.New, dashboard.Same, dashboard.Same} {
			change, err := target.Push(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, change.State, change.Diff)
		}
	})
}
