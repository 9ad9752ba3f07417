package notebookpush

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/notebooks"
)

// fakeWorkspace keeps notebooks in memory. Like Databricks it gives a source back without the blank
// lines at its end.
type fakeWorkspace struct {
	mu      sync.Mutex
	folders map[string]bool
	sources map[string]string
	imports []string
	fail    error
}

func newWorkspace() *fakeWorkspace {
	return &fakeWorkspace{folders: map[string]bool{}, sources: map[string]string{}}
}

func (f *fakeWorkspace) Export(_ context.Context, r workspace.ExportRequest) (*workspace.ExportResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	source, ok := f.sources[r.Path]
	if !ok {
		return nil, &apierr.APIError{StatusCode: 404, ErrorCode: "RESOURCE_DOES_NOT_EXIST", Message: "Path (" + r.Path + ") doesn't exist."}
	}
	return &workspace.ExportResponse{Content: base64.StdEncoding.EncodeToString([]byte(strings.TrimRight(source, "\n")))}, nil
}

func (f *fakeWorkspace) Import(_ context.Context, r workspace.Import) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	source, err := base64.StdEncoding.DecodeString(r.Content)
	if err != nil || r.Language != workspace.LanguageSql || r.Format != workspace.ImportFormatSource || !r.Overwrite {
		return errors.New("INVALID_PARAMETER_VALUE")
	}
	if !f.folders[r.Path[:strings.LastIndex(r.Path, "/")]] {
		return errors.New("the parent folder does not exist")
	}
	f.sources[r.Path] = string(source)
	f.imports = append(f.imports, r.Path)
	return nil
}

func (f *fakeWorkspace) ListAll(_ context.Context, r workspace.ListWorkspaceRequest) ([]workspace.ObjectInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	if !f.folders[r.Path] {
		return nil, &apierr.APIError{StatusCode: 404, ErrorCode: "RESOURCE_DOES_NOT_EXIST", Message: "Path (" + r.Path + ") doesn't exist."}
	}
	objects := []workspace.ObjectInfo{{Path: r.Path + "/archive", ObjectType: workspace.ObjectTypeDirectory}}
	for path := range f.sources {
		objects = append(objects, workspace.ObjectInfo{Path: path, ObjectType: workspace.ObjectTypeNotebook})
	}
	return objects, nil
}

func (f *fakeWorkspace) MkdirsByPath(_ context.Context, path string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.folders[path] = true
	return nil
}

var some = []notebooks.Notebook{
	{Name: "load", Source: "-- Databricks notebook source\nSELECT 1\n"},
	{Name: "query", Source: "-- Databricks notebook source\nSELECT 2\nFROM a\n"},
}

func states(changes []Change) (all []State) {
	for _, c := range changes {
		all = append(all, c.State)
	}
	return all
}

func TestPush(t *testing.T) {
	t.Run("writes_only_what_differs", func(t *testing.T) {
		ws := newWorkspace()
		changes, err := Push(t.Context(), ws, "/Shared/pins", some)
		require.NoError(t, err)
		require.Equal(t, []State{New, New}, states(changes))
		require.ElementsMatch(t, []string{"/Shared/pins/load", "/Shared/pins/query"}, ws.imports)

		ws.imports = nil
		changes, err = Push(t.Context(), ws, "/Shared/pins", some)
		require.NoError(t, err)
		require.Equal(t, []State{Same, Same}, states(changes))
		require.Empty(t, ws.imports, "pushing again writes nothing")

		ws.sources["/Shared/pins/query"] = "-- Databricks notebook source\r\nSELECT 3\r\nFROM a\r\n"
		ws.sources["/Shared/pins/theirs"] = "-- Databricks notebook source\n"
		changes, err = Push(t.Context(), ws, "/Shared/pins", some)
		require.NoError(t, err)
		require.Equal(t, []State{Same, Changed}, states(changes))
		require.Equal(t, []string{"/Shared/pins/query"}, ws.imports)
		require.Equal(t, some[1].Source, ws.sources["/Shared/pins/query"])
		require.Contains(t, ws.sources, "/Shared/pins/theirs", "what is not ours stays")
	})
}

func TestCompare(t *testing.T) {
	t.Run("shows_the_way_from_the_workspace_to_this_build", func(t *testing.T) {
		ws := newWorkspace()
		ws.sources["/Shared/pins/query"] = "-- Databricks notebook source\nSELECT 3\nFROM a\n"
		changes, err := Compare(t.Context(), ws, "/Shared/pins", some)
		require.NoError(t, err)
		require.Equal(t, []State{New, Changed}, states(changes))
		require.Equal(t, "--- /Shared/pins/query\n+++ notebooks/query.sql\n@@ -1,3 +1,3 @@\n -- Databricks notebook source\n-SELECT 3\n+SELECT 2\n FROM a\n", changes[1].Diff)
		require.Contains(t, changes[0].Diff, "--- /dev/null")
		require.Contains(t, changes[0].Diff, "+SELECT 1")
		require.Empty(t, ws.imports, "comparing writes nothing")
	})

	t.Run("does_not_take_an_error_for_a_missing_notebook", func(t *testing.T) {
		ws := newWorkspace()
		ws.fail = &apierr.APIError{StatusCode: 403, Message: "Invalid access token."}
		_, err := Push(t.Context(), ws, "/Shared/pins", some)
		require.ErrorContains(t, err, "Invalid access token")
		require.Empty(t, ws.imports)
	})
}

func TestFindExtra(t *testing.T) {
	t.Run("finds_notebooks_that_are_only_in_the_workspace", func(t *testing.T) {
		ws := newWorkspace()
		extra, err := FindExtra(t.Context(), ws, "/Shared/pins", some)
		require.NoError(t, err)
		require.Empty(t, extra, "there is no folder yet")

		_, err = Push(t.Context(), ws, "/Shared/pins", some)
		require.NoError(t, err)
		ws.sources["/Shared/pins/theirs"] = "-- Databricks notebook source\n"
		extra, err = FindExtra(t.Context(), ws, "/Shared/pins", some)
		require.NoError(t, err)
		require.Equal(t, []Change{{Name: "theirs", Path: "/Shared/pins/theirs", State: Extra}}, extra)
		require.Zero(t, Differing(extra), "a push would not write it")

		ws.fail = &apierr.APIError{StatusCode: 403, Message: "Invalid access token."}
		_, err = FindExtra(t.Context(), ws, "/Shared/pins", some)
		require.ErrorContains(t, err, "Invalid access token")
	})
}
