package main

import (
	"context"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/dashboards"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/exit"
)

// fakeDashboards is a workspace with at most one dashboard.
type fakeDashboards struct {
	draft     *dashboards.Dashboard
	published *dashboards.PublishedDashboard
}

func (f *fakeDashboards) GetStatusByPath(_ context.Context, path string) (*workspace.ObjectInfo, error) {
	if f.draft == nil {
		return nil, apierr.ErrNotFound
	}
	return &workspace.ObjectInfo{Path: path, ObjectType: workspace.ObjectTypeDashboard, ResourceId: "d1"}, nil
}

func (f *fakeDashboards) MkdirsByPath(context.Context, string) error { return nil }

func (f *fakeDashboards) Create(_ context.Context, r dashboards.CreateDashboardRequest) (*dashboards.Dashboard, error) {
	f.draft = &r.Dashboard
	f.draft.DashboardId = "d1"
	return f.draft, nil
}

func (f *fakeDashboards) Update(_ context.Context, r dashboards.UpdateDashboardRequest) (*dashboards.Dashboard, error) {
	f.draft = &r.Dashboard
	return f.draft, nil
}

func (f *fakeDashboards) GetByDashboardId(context.Context, string) (*dashboards.Dashboard, error) {
	return f.draft, nil
}

func (f *fakeDashboards) Publish(_ context.Context, r dashboards.PublishRequest) (*dashboards.PublishedDashboard, error) {
	f.published = &dashboards.PublishedDashboard{EmbedCredentials: r.EmbedCredentials, WarehouseId: r.WarehouseId}
	return f.published, nil
}

func (f *fakeDashboards) GetPublishedByDashboardId(context.Context, string) (*dashboards.PublishedDashboard, error) {
	if f.published == nil {
		return nil, apierr.ErrNotFound
	}
	return f.published, nil
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	t.Run("is_pushed_once_and_compared", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		code, stdout, _ := w.line(t, "dashboard diff")
		require.Equal(t, exit.Failed, code, "a push would create it")
		require.Contains(t, stdout, "new  /Shared/pinflow/Answers of pipeline.lvdash.json")
		require.Nil(t, w.dashboards.draft)

		code, stdout, stderr := w.line(t, "dashboard push")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "new  /Shared/pinflow/Answers of pipeline.lvdash.json\nhttps://workspace/dashboardsv3/d1/published\n")
		require.Equal(t, "w1", w.dashboards.published.WarehouseId)

		code, stdout, _ = w.line(t, "dashboard push -o json")
		require.Zero(t, code)
		require.Contains(t, stdout, `"state": "same"`)
		code, _, _ = w.line(t, "dashboard diff")
		require.Zero(t, code)

		w.dashboards.draft.SerializedDashboard = "{}"
		code, stdout, _ = w.line(t, "dashboard diff")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "changed  ")
		require.Contains(t, stdout, "+++ this build")
	})

	t.Run("needs_a_warehouse_and_tables", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.settings.Warehouse = ""
		code, _, stderr := w.line(t, "dashboard push")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "PINFLOW_WAREHOUSE_ID")
		require.Nil(t, w.dashboards.draft)
	})
}
