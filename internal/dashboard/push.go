package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/dashboards"
	"github.com/databricks/databricks-sdk-go/service/workspace"

	"github.com/pinflow/pinflow/internal/answers"
)

// Lakeview is what is needed of Databricks' Lakeview API, which is the API of AI/BI dashboards; the
// client of the SDK satisfies it.
type Lakeview interface {
	Create(ctx context.Context, request dashboards.CreateDashboardRequest) (*dashboards.Dashboard, error)
	Update(ctx context.Context, request dashboards.UpdateDashboardRequest) (*dashboards.Dashboard, error)
	GetByDashboardId(ctx context.Context, id string) (*dashboards.Dashboard, error)
	Publish(ctx context.Context, request dashboards.PublishRequest) (*dashboards.PublishedDashboard, error)
	GetPublishedByDashboardId(ctx context.Context, id string) (*dashboards.PublishedDashboard, error)
}

// Tree is what is needed of Databricks' Workspace API: dashboards are files of the workspace.
type Tree interface {
	GetStatusByPath(ctx context.Context, path string) (*workspace.ObjectInfo, error)
	MkdirsByPath(ctx context.Context, path string) error
}

// Target is the dashboard of a DAG.
type Target struct {
	Lakeview Lakeview
	Tree     Tree
	// Folder is the workspace folder of the dashboard.
	Folder string
	// DAG is the DAG that rebuilds the tables.
	DAG    string
	Tables []answers.Table
	// Warehouse names the tables, and is the SQL warehouse that runs the queries.
	Warehouse *answers.Warehouse
	// EmbedCredentials lets readers of the published dashboard see the tables with the rights of the
	// one who pushes it. Without it they need their own.
	EmbedCredentials bool
}

// State is the result of comparing the dashboard with the workspace.
type State string

// The states.
const (
	// New is not in the workspace.
	New State = "new"
	// Changed is in the workspace with another content or warehouse.
	Changed State = "changed"
	// Unpublished is in the workspace, but the published version is older or missing, or its
	// credentials are others.
	Unpublished State = "unpublished"
	// Same is in the workspace, and published.
	Same State = "same"
)

// Change is the difference between the dashboard and the workspace.
type Change struct {
	Name string `json:"name"`
	// Path is the path of the dashboard in the workspace, ID its id; empty for a new one.
	Path  string `json:"path"`
	ID    string `json:"id,omitempty"`
	State State  `json:"state"`
	// Diff is the unified diff from the workspace's content to the one that is pushed; empty if they
	// are the same. What the workspace adds by itself is left out.
	Diff string `json:"diff,omitempty"`

	etag string
	text string
}

// name is the name of the dashboard, and of its file.
func (t Target) name() string { return "Answers of " + t.DAG }

// Compare compares the dashboard with the one in the workspace.
func (t Target) Compare(ctx context.Context) (Change, error) {
	ours, err := build(t.DAG, t.Tables, t.Warehouse.Name).text()
	if err != nil {
		return Change{}, err
	}
	change := Change{Name: t.name(), Path: path.Join(t.Folder, t.name()+".lvdash.json"), State: New, text: ours}
	object, err := t.Tree.GetStatusByPath(ctx, change.Path)
	switch {
	case errors.Is(err, apierr.ErrNotFound):
		change.Diff = udiff.Unified("/dev/null", change.Path, "", ours)
		return change, nil
	case err != nil:
		return Change{}, fmt.Errorf("dashboard %s: %w", change.Path, err)
	case object.ObjectType != workspace.ObjectTypeDashboard:
		return Change{}, fmt.Errorf("%s is a %s, and no dashboard: move it, or set PINFLOW_NOTEBOOKS to another folder", change.Path, strings.ToLower(string(object.ObjectType)))
	}
	change.ID = object.ResourceId
	there, err := t.Lakeview.GetByDashboardId(ctx, change.ID)
	if err != nil {
		return Change{}, fmt.Errorf("dashboard %s: %w", change.Path, err)
	}
	change.etag = there.Etag
	theirs, err := known(there.SerializedDashboard, ours)
	if err != nil {
		return Change{}, err
	}
	change.Diff = udiff.Unified(change.Path, "this build", theirs, ours)
	if change.Diff == "" && there.WarehouseId != t.Warehouse.ID {
		change.Diff = fmt.Sprintf("-warehouse %s\n+warehouse %s\n", there.WarehouseId, t.Warehouse.ID)
	}
	if change.Diff != "" {
		change.State = Changed
		return change, nil
	}
	change.State, err = t.publishedState(ctx, there)
	return change, err
}

// publishedState reports whether the draft is published as it is.
func (t Target) publishedState(ctx context.Context, draft *dashboards.Dashboard) (State, error) {
	published, err := t.Lakeview.GetPublishedByDashboardId(ctx, draft.DashboardId)
	switch {
	case errors.Is(err, apierr.ErrNotFound):
		return Unpublished, nil
	case err != nil:
		return "", fmt.Errorf("published version of dashboard %s: %w", draft.DashboardId, err)
	case published.RevisionCreateTime < draft.UpdateTime, published.EmbedCredentials != t.EmbedCredentials, published.WarehouseId != t.Warehouse.ID:
		return Unpublished, nil
	}
	return Same, nil
}

// Push writes the dashboard if it is new or changed, and publishes it if its published version is
// not the same. It returns the change. Pushing again changes nothing. It fails if it is changed
// meanwhile.
func (t Target) Push(ctx context.Context) (Change, error) {
	change, err := t.Compare(ctx)
	if err != nil || change.State == Same {
		return change, err
	}
	content := dashboards.Dashboard{DisplayName: change.Name, SerializedDashboard: change.text, WarehouseId: t.Warehouse.ID}
	switch change.State {
	case New:
		if err := t.Tree.MkdirsByPath(ctx, t.Folder); err != nil {
			return change, fmt.Errorf("folder %s: %w", t.Folder, err)
		}
		content.ParentPath = t.Folder
		made, err := t.Lakeview.Create(ctx, dashboards.CreateDashboardRequest{Dashboard: content})
		if err != nil {
			return change, fmt.Errorf("create dashboard %s: %w", change.Path, err)
		}
		change.ID = made.DashboardId
	case Changed:
		content.Etag = change.etag
		if _, err := t.Lakeview.Update(ctx, dashboards.UpdateDashboardRequest{DashboardId: change.ID, Dashboard: content}); err != nil {
			return change, fmt.Errorf("update dashboard %s: %w", change.Path, err)
		}
	}
	_, err = t.Lakeview.Publish(ctx, dashboards.PublishRequest{DashboardId: change.ID, EmbedCredentials: t.EmbedCredentials, WarehouseId: t.Warehouse.ID})
	if err != nil {
		return change, fmt.Errorf("publish dashboard %s, which is written: %w", change.Path, err)
	}
	return change, nil
}

// known returns the workspace's content in canonical form, with those fields alone that our content has:
// the workspace adds defaults, orders fields in its way, and joins the lines of queries. A content
// that is no JSON is returned as it is.
func known(theirs, ours string) (string, error) {
	var a, b any
	if err := json.Unmarshal([]byte(ours), &b); err != nil {
		return "", err
	}
	if !json.Valid([]byte(theirs)) {
		return theirs, nil
	}
	if err := json.Unmarshal([]byte(theirs), &a); err != nil {
		return "", err
	}
	return canonical(common(a, b))
}

// common returns theirs without the fields that ours does not have. Lists of texts with the same
// text in all are the same, however it is cut.
func common(theirs, ours any) any {
	switch ours := ours.(type) {
	case map[string]any:
		there, ok := theirs.(map[string]any)
		if !ok {
			return theirs
		}
		kept := map[string]any{}
		for name, value := range ours {
			if other, ok := there[name]; ok {
				kept[name] = common(other, value)
			}
		}
		return kept
	case []any:
		there, ok := theirs.([]any)
		if !ok {
			return theirs
		}
		if a, ok := joined(there); ok {
			if b, ok := joined(ours); ok && a == b {
				return ours
			}
		}
		kept := make([]any, len(there))
		for i := range there {
			if kept[i] = there[i]; i < len(ours) {
				kept[i] = common(there[i], ours[i])
			}
		}
		return kept
	}
	return theirs
}

// joined returns the texts of a list as one.
func joined(list []any) (string, bool) {
	var all strings.Builder
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return "", false
		}
		all.WriteString(text)
	}
	return all.String(), len(list) > 0
}
