// Package dashboards implements the AI/BI dashboards of a workspace with the Lakeview API 2.0: drafts
// and their published versions. It takes and serves them; it draws none.
package dashboards

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/dashboards"
	"github.com/google/uuid"

	"github.com/pinflow/pinflow/local/workspace/api"
	"github.com/pinflow/pinflow/local/workspace/tree"
)

// Options configures the API.
type Options struct {
	// Dir is where the properties of dashboards are; their contents are files of the tree.
	Dir  string
	Tree *tree.Tree
	Now  func() time.Time
}

// API keeps dashboards.
type API struct {
	options Options
	mu      sync.Mutex
}

// Open opens the dashboards in the directory, which it creates.
func Open(o Options) (*API, error) {
	return &API{options: o}, os.MkdirAll(o.Dir, 0o755)
}

// kept is a dashboard as it is kept. The content of the draft is a file of the tree.
type kept struct {
	Draft     dashboards.Dashboard           `json:"draft"`
	Published *dashboards.PublishedDashboard `json:"published,omitempty"`
	// Content is what was published.
	Content string `json:"content,omitempty"`
}

// Routes returns the endpoints.
func (a *API) Routes() api.Routes {
	const path = "/api/2.0/lakeview/dashboards"
	return api.Routes{
		"GET " + path:                        a.list,
		"POST " + path:                       a.create,
		"GET " + path + "/{id}":              a.get,
		"PATCH " + path + "/{id}":            a.update,
		"DELETE " + path + "/{id}":           a.trash,
		"POST " + path + "/{id}/published":   a.publish,
		"GET " + path + "/{id}/published":    a.getPublished,
		"DELETE " + path + "/{id}/published": a.unpublish,
	}
}

// find returns a dashboard with its content. It is missing if its file is.
func (a *API) find(id string) (kept, error) {
	var k kept
	missing := dashboardMissing(id)
	if strings.ContainsAny(id, `/\.`) {
		return k, missing
	}
	body, err := os.ReadFile(a.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return k, missing
	}
	if err == nil {
		err = json.Unmarshal(body, &k)
	}
	if err != nil {
		return k, err
	}
	content, err := a.options.Tree.ReadDashboard(k.Draft.Path)
	if errors.Is(err, tree.ErrMissing) {
		return k, missing
	}
	k.Draft.SerializedDashboard = string(content)
	return k, err
}

// write stores the properties of a dashboard; its content is stored before.
func (a *API) write(k kept) error {
	k.Draft.SerializedDashboard = ""
	body, err := json.Marshal(k)
	if err != nil {
		return err
	}
	draft := a.file(k.Draft.DashboardId) + ".new"
	if err := os.WriteFile(draft, body, 0o644); err != nil {
		return err
	}
	return os.Rename(draft, a.file(k.Draft.DashboardId))
}

func (a *API) file(id string) string { return filepath.Join(a.options.Dir, id+".json") }

func (a *API) now() string { return a.options.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// all returns the dashboards that exist, in the order of their paths.
func (a *API) all() ([]kept, error) {
	files, err := filepath.Glob(filepath.Join(a.options.Dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var found []kept
	for _, file := range files {
		k, err := a.find(strings.TrimSuffix(filepath.Base(file), ".json"))
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, k)
	}
	return found, nil
}

// change gives a draft its new version.
func (a *API) change(k *kept) {
	k.Draft.Etag, k.Draft.UpdateTime = strings.ReplaceAll(uuid.NewString(), "-", "")[:8], a.now()
}

// place returns the path of the file of a dashboard.
func place(parent, name string) (string, error) {
	if name == "" {
		return "", api.MissingField("display_name")
	}
	if strings.Contains(name, "/") {
		return "", api.InvalidParameter("The display name %q has a slash.", name)
	}
	if parent == "" {
		parent = path.Join("/Users", api.UserName)
	}
	return tree.CleanPath(path.Join(parent, name+tree.DashboardEnding))
}
