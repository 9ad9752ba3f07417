package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/dashboards"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/notebooks"
)

// fake is a workspace with at most one dashboard. Like Databricks it adds defaults, joins the lines
// of queries, and orders names in its way.
type fake struct {
	draft     *dashboards.Dashboard
	published *dashboards.PublishedDashboard
	folders   []string
	kind      workspace.ObjectType
	clock     int
	calls     []string
	fail      map[string]error
}

func newFake() *fake { return &fake{kind: workspace.ObjectTypeDashboard, fail: map[string]error{}} }

func (f *fake) call(name string) error {
	f.calls = append(f.calls, name)
	f.clock++
	return f.fail[name]
}

func (f *fake) now() string { return fmt.Sprintf("2022-10-19T00:00:%02d.000Z", f.clock) }

func (f *fake) GetStatusByPath(_ context.Context, at string) (*workspace.ObjectInfo, error) {
	if f.draft == nil || f.draft.Path != at {
		return nil, apierr.ErrNotFound
	}
	return &workspace.ObjectInfo{Path: at, ObjectType: f.kind, ResourceId: f.draft.DashboardId}, nil
}

func (f *fake) MkdirsByPath(_ context.Context, at string) error {
	f.folders = append(f.folders, at)
	return nil
}

func (f *fake) Create(_ context.Context, r dashboards.CreateDashboardRequest) (*dashboards.Dashboard, error) {
	if err := f.call("create"); err != nil {
		return nil, err
	}
	if !slices.Contains(f.folders, r.Dashboard.ParentPath) {
		return nil, errors.New("the folder does not exist")
	}
	draft := r.Dashboard
	draft.DashboardId, draft.Path = "d1", path.Join(draft.ParentPath, draft.DisplayName+".lvdash.json")
	f.write(draft)
	return f.draft, nil
}

func (f *fake) Update(_ context.Context, r dashboards.UpdateDashboardRequest) (*dashboards.Dashboard, error) {
	if err := f.call("update"); err != nil {
		return nil, err
	}
	if r.Dashboard.Etag != f.draft.Etag {
		return nil, errors.New("the etag is not that of the dashboard")
	}
	draft := r.Dashboard
	draft.DashboardId, draft.Path = f.draft.DashboardId, f.draft.Path
	f.write(draft)
	return f.draft, nil
}

// write stores a draft in the form of the service.
func (f *fake) write(draft dashboards.Dashboard) {
	var content map[string]any
	if err := json.Unmarshal([]byte(draft.SerializedDashboard), &content); err != nil {
		panic(err)
	}
	content["uiSettings"] = map[string]any{"theme": map[string]any{}}
	for _, set := range content["datasets"].([]any) {
		set := set.(map[string]any)
		text, _ := joined(set["queryLines"].([]any))
		set["queryLines"], set["catalog"] = []any{text[:7], text[7:]}, "main"
	}
	body, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	draft.SerializedDashboard, draft.Etag, draft.UpdateTime = string(body), fmt.Sprint(f.clock), f.now()
	f.draft = &draft
}

func (f *fake) GetByDashboardId(context.Context, string) (*dashboards.Dashboard, error) {
	return f.draft, nil
}

func (f *fake) Publish(_ context.Context, r dashboards.PublishRequest) (*dashboards.PublishedDashboard, error) {
	if err := f.call("publish"); err != nil {
		return nil, err
	}
	f.published = &dashboards.PublishedDashboard{EmbedCredentials: r.EmbedCredentials, WarehouseId: r.WarehouseId, RevisionCreateTime: f.now()}
	return f.published, nil
}

func (f *fake) GetPublishedByDashboardId(context.Context, string) (*dashboards.PublishedDashboard, error) {
	if f.published == nil {
		return nil, apierr.ErrNotFound
	}
	return f.published, nil
}

func target(f *fake) Target {
	return Target{
		Lakeview: f, Tree: f, Folder: "/Shared/pinflow", DAG: "pinterest-daily", Tables: answers.Tables(notebooks.Answers),
		Warehouse: &answers.Warehouse{ID: "w1", Schema: "main.pinterest"},
	}
}

func TestPush(t *testing.T) {
	push := func(t *testing.T, target Target, want State, calls ...string) Change {
		t.Helper()
		f := target.Lakeview.(*fake)
		f.calls = nil
		change, err := target.Push(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, change.State, change.Diff)
		require.Equal(t, calls, f.calls)
		return change
	}

	t.Run("creates_and_publishes_once", func(t *testing.T) {
		f := newFake()
		change := push(t, target(f), New, "create", "publish")
		require.Equal(t, "/Shared/pinflow/Answers of pinterest-daily.lvdash.json", change.Path)
		require.Equal(t, "d1", change.ID)
		require.Contains(t, change.Diff, "+      \"displayName\": \"Answers\"")
		require.False(t, f.published.EmbedCredentials, "readers see what they may see")
		push(t, target(f), Same)
		push(t, target(f), Same)
	})

	t.Run("updates_what_was_changed_by_hand", func(t *testing.T) {
		f := newFake()
		push(t, target(f), New, "create", "publish")
		var content map[string]any
		require.NoError(t, json.Unmarshal([]byte(f.draft.SerializedDashboard), &content))
		content["pages"].([]any)[0].(map[string]any)["displayName"] = "Mine"
		body, err := json.Marshal(content)
		require.NoError(t, err)
		f.draft.SerializedDashboard = string(body)
		change := push(t, target(f), Changed, "update", "publish")
		require.Contains(t, change.Diff, "-      \"displayName\": \"Mine\"")
		push(t, target(f), Same)

		f.draft.SerializedDashboard = "{"
		push(t, target(f), Changed, "update", "publish")
		push(t, target(f), Same)
	})

	t.Run("updates_another_warehouse_or_table", func(t *testing.T) {
		f := newFake()
		push(t, target(f), New, "create", "publish")
		other := target(f)
		other.Warehouse = &answers.Warehouse{ID: "w2", Schema: "main.pinterest"}
		change := push(t, other, Changed, "update", "publish")
		require.Equal(t, "-warehouse w1\n+warehouse w2\n", change.Diff)
		push(t, other, Same)
		other.Tables = append(other.Tables, answers.Tables([]string{"posts_by_weekday"})...)
		push(t, other, Changed, "update", "publish")
		push(t, other, Same)
	})

	t.Run("publishes_what_was_left_unpublished", func(t *testing.T) {
		f := newFake()
		f.fail["publish"] = errors.New("connection lost")
		_, err := target(f).Push(t.Context())
		require.ErrorContains(t, err, "publish dashboard")
		f.fail = map[string]error{}
		push(t, target(f), Unpublished, "publish")
		push(t, target(f), Same)
		embedded := target(f)
		embedded.EmbedCredentials = true
		push(t, embedded, Unpublished, "publish")
		require.True(t, f.published.EmbedCredentials)
		push(t, embedded, Same)
	})

	t.Run("overwrites_nothing_that_it_has_not_seen", func(t *testing.T) {
		f := newFake()
		push(t, target(f), New, "create", "publish")
		f.kind = workspace.ObjectTypeNotebook
		_, err := target(f).Push(t.Context())
		require.ErrorContains(t, err, "is a notebook, and no dashboard")
	})

	t.Run("reports_what_the_workspace_refuses", func(t *testing.T) {
		f := newFake()
		f.fail["create"] = errors.New("no right")
		_, err := target(f).Push(t.Context())
		require.ErrorContains(t, err, "create dashboard /Shared/pinflow/Answers of pinterest-daily.lvdash.json: no right")
		require.Nil(t, f.draft)
	})
}

func TestBuild(t *testing.T) {
	d := build("pinterest-daily", answers.Tables(append(slices.Clone(notebooks.Answers), "posts_by_weekday")), target(newFake()).Warehouse.Name)

	t.Run("shows_each_field_that_its_dataset_has", func(t *testing.T) {
		sets := map[string]dataset{}
		for _, set := range d.Datasets {
			require.NotContains(t, sets, set.Name)
			sets[set.Name] = set
		}
		names := map[string]bool{}
		for _, at := range d.Pages[0].Layout {
			require.False(t, names[at.Widget.Name])
			names[at.Widget.Name] = true
			require.Regexp(t, `^[a-z0-9_]+$`, at.Widget.Name)
			require.LessOrEqual(t, at.Position.X+at.Position.Width, gridWidth)
			if at.Widget.Textbox != nil {
				continue
			}
			query := at.Widget.Queries[0].Query
			require.Contains(t, sets, query.DatasetName)
			shown, err := json.Marshal(at.Widget.Spec.Encodings)
			require.NoError(t, err)
			for _, field := range query.Fields {
				require.Contains(t, string(shown), `"fieldName":"`+field.Name+`"`)
				if text := sets[query.DatasetName].QueryLines[0]; !strings.HasPrefix(text, "SELECT * ") {
					require.Contains(t, text, "`"+field.Name+"`")
				}
			}
		}
		for _, table := range notebooks.Answers {
			require.True(t, names[table+"_table"] && names[table+"_chart"], table)
		}
	})

	t.Run("draws_lines_over_years", func(t *testing.T) {
		kinds := map[string]string{}
		for _, at := range d.Pages[0].Layout {
			if at.Widget.Spec != nil {
				kinds[at.Widget.Name] = at.Widget.Spec.WidgetType
			}
		}
		for _, table := range answers.Tables(notebooks.Answers) {
			want := "bar"
			if slices.ContainsFunc(table.Columns, func(c answers.Column) bool { return c.Kind == answers.Year }) {
				want = "line"
			}
			require.Equal(t, want, kinds[table.Name+"_chart"], table.Name)
		}
	})

	t.Run("lays_no_widget_over_another", func(t *testing.T) {
		layout := d.Pages[0].Layout
		for i, a := range layout {
			for _, b := range layout[i+1:] {
				a, b := a.Position, b.Position
				require.False(t, a.X < b.X+b.Width && b.X < a.X+a.Width && a.Y < b.Y+b.Height && b.Y < a.Y+a.Height, "%v %v", a, b)
			}
		}
	})

	t.Run("names_tables_with_their_schema", func(t *testing.T) {
		for _, set := range d.Datasets {
			require.Contains(t, set.QueryLines[0], "FROM `main`.`pinterest`.`")
		}
	})
}
