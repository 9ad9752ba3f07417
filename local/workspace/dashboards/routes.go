package dashboards

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path"

	"github.com/databricks/databricks-sdk-go/service/dashboards"

	"github.com/pinflow/pinflow/local/workspace/api"
	"github.com/pinflow/pinflow/local/workspace/tree"
)

func dashboardMissing(id string) *api.Error {
	return &api.Error{Status: http.StatusNotFound, Code: "RESOURCE_DOES_NOT_EXIST", Message: "Unable to find dashboard [" + id + "]"}
}

func isMissing(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// checkContent rejects a content that is no JSON object.
func checkContent(text string) error {
	var content map[string]any
	if err := json.Unmarshal([]byte(text), &content); err != nil {
		return api.InvalidParameter("Failed to parse serialized dashboard: %v", err)
	}
	return nil
}

func (a *API) create(r *http.Request) (any, error) {
	var asked dashboards.Dashboard
	if err := api.ReadBody(r, &asked); err != nil {
		return nil, err
	}
	at, err := place(asked.ParentPath, asked.DisplayName)
	if err != nil {
		return nil, err
	}
	if asked.SerializedDashboard == "" {
		asked.SerializedDashboard = "{}"
	}
	if err := checkContent(asked.SerializedDashboard); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k := kept{Draft: dashboards.Dashboard{
		DashboardId: tree.DashboardID(at), DisplayName: asked.DisplayName, Path: at, ParentPath: path.Dir(at), WarehouseId: asked.WarehouseId,
		SerializedDashboard: asked.SerializedDashboard, LifecycleState: dashboards.LifecycleStateActive, CreateTime: a.now(),
	}}
	a.change(&k)
	switch err := a.options.Tree.WriteDashboard(at, []byte(asked.SerializedDashboard), false); {
	case errors.Is(err, tree.ErrMissing):
		return nil, &api.Error{Status: http.StatusNotFound, Code: "RESOURCE_DOES_NOT_EXIST", Message: "The parent folder (" + path.Dir(at) + ") does not exist."}
	case errors.Is(err, tree.ErrTaken):
		return nil, &api.Error{Status: http.StatusBadRequest, Code: "RESOURCE_ALREADY_EXISTS", Message: "Node named '" + path.Base(at) + "' already exists"}
	case err != nil:
		return nil, err
	}
	return k.Draft, a.write(k)
}

func (a *API) get(r *http.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.find(r.PathValue("id"))
	return k.Draft, err
}

// update changes the fields that the request has. With an etag it changes only the version that the
// client has read.
func (a *API) update(r *http.Request) (any, error) {
	var asked dashboards.Dashboard
	if err := api.ReadBody(r, &asked); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if asked.Etag != "" && asked.Etag != k.Draft.Etag {
		return nil, &api.Error{Status: http.StatusConflict, Code: "ABORTED", Message: "The dashboard was modified since etag " + asked.Etag + "; its etag is " + k.Draft.Etag + "."}
	}
	if asked.DisplayName != "" && asked.DisplayName != k.Draft.DisplayName {
		return nil, api.InvalidParameter("This workspace does not rename dashboards; create one named %q.", asked.DisplayName)
	}
	if asked.SerializedDashboard != "" {
		if err := checkContent(asked.SerializedDashboard); err != nil {
			return nil, err
		}
		if err := a.options.Tree.WriteDashboard(k.Draft.Path, []byte(asked.SerializedDashboard), true); err != nil {
			return nil, err
		}
		k.Draft.SerializedDashboard = asked.SerializedDashboard
	}
	if asked.WarehouseId != "" {
		k.Draft.WarehouseId = asked.WarehouseId
	}
	a.change(&k)
	return k.Draft, a.write(k)
}

// list returns the dashboards without the fields that the service leaves out of lists.
func (a *API) list(*http.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found, err := a.all()
	response := dashboards.ListDashboardsResponse{}
	for _, k := range found {
		response.Dashboards = append(response.Dashboards, dashboards.Dashboard{
			DashboardId: k.Draft.DashboardId, DisplayName: k.Draft.DisplayName, WarehouseId: k.Draft.WarehouseId,
			LifecycleState: k.Draft.LifecycleState, CreateTime: k.Draft.CreateTime,
		})
	}
	return response, err
}

// trash deletes a dashboard: this workspace has no trash.
func (a *API) trash(r *http.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if err := a.options.Tree.RemoveDashboard(k.Draft.Path); err != nil {
		return nil, err
	}
	return struct{}{}, os.Remove(a.file(k.Draft.DashboardId))
}

func (a *API) publish(r *http.Request) (any, error) {
	var asked dashboards.PublishRequest
	if err := api.ReadBody(r, &asked); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	warehouse := asked.WarehouseId
	if warehouse == "" {
		warehouse = k.Draft.WarehouseId
	}
	k.Published = &dashboards.PublishedDashboard{
		DisplayName: k.Draft.DisplayName, WarehouseId: warehouse, EmbedCredentials: asked.EmbedCredentials, RevisionCreateTime: a.now(),
	}
	k.Content = k.Draft.SerializedDashboard
	return k.Published, a.write(k)
}

func (a *API) getPublished(r *http.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.find(r.PathValue("id"))
	if err == nil && k.Published == nil {
		err = dashboardMissing(r.PathValue("id"))
	}
	return k.Published, err
}

func (a *API) unpublish(r *http.Request) (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.find(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	k.Published, k.Content = nil, ""
	return struct{}{}, a.write(k)
}
