// Package notebookpush pushes notebooks to a Databricks workspace, and compares the two.
package notebookpush

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/aymanbagabas/go-udiff"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/notebooks"
)

// Workspace is what is needed of Databricks' Workspace API; the client of the SDK satisfies it.
type Workspace interface {
	Export(ctx context.Context, request workspace.ExportRequest) (*workspace.ExportResponse, error)
	Import(ctx context.Context, request workspace.Import) error
	ListAll(ctx context.Context, request workspace.ListWorkspaceRequest) ([]workspace.ObjectInfo, error)
	MkdirsByPath(ctx context.Context, path string) error
}

// State is the result of comparing a notebook with the workspace.
type State string

// The states.
const (
	// New is not in the workspace.
	New State = "new"
	// Changed is in the workspace with another source.
	Changed State = "changed"
	// Same is in the workspace with the same source.
	Same State = "same"
	// Extra is only in the workspace. A push leaves it there.
	Extra State = "extra"
)

// Change is the difference between a notebook and the workspace.
type Change struct {
	Name string `json:"name"`
	// Path is the path of the notebook in the workspace.
	Path  string `json:"path"`
	State State  `json:"state"`
	// Hash is the hex sha256 of the source that is pushed; empty if there is none.
	Hash string `json:"hash,omitempty"`
	// Diff is the unified diff from the workspace's source to the one that is pushed; empty if they
	// are the same.
	Diff string `json:"diff,omitempty"`
}

// Differing counts the notebooks that a push writes.
func Differing(changes []Change) int {
	n := 0
	for _, change := range changes {
		if change.State == New || change.State == Changed {
			n++
		}
	}
	return n
}

// parallelCalls is how many requests run at a time. The Workspace API allows 30 requests a second.
const parallelCalls = 5

// Compare compares each notebook with the one in that folder of the workspace, in the order given.
// Trailing blank lines and the kind of line ends do not count: the workspace does not keep them.
func Compare(ctx context.Context, ws Workspace, folder string, all []notebooks.Notebook) ([]Change, error) {
	changes := make([]Change, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	for i, notebook := range all {
		group.Go(func() (err error) {
			changes[i], err = compare(ctx, ws, folder, notebook)
			return err
		})
	}
	return changes, group.Wait()
}

func compare(ctx context.Context, ws Workspace, folder string, notebook notebooks.Notebook) (Change, error) {
	change := Change{Name: notebook.Name, Path: path.Join(folder, notebook.Name), Hash: notebook.Hash()}
	there, err := export(ctx, ws, change.Path)
	if err != nil && !errors.Is(err, apierr.ErrNotFound) {
		return Change{}, fmt.Errorf("notebook %s: %w", change.Path, err)
	}
	here := notebooks.Normal(notebook.Source)
	from := change.Path
	switch {
	case err != nil:
		change.State, from = New, "/dev/null"
	case there == here:
		change.State = Same
		return change, nil
	default:
		change.State = Changed
	}
	change.Diff = udiff.Unified(from, "notebooks/"+notebook.Name+".sql", there, here)
	return change, nil
}

// FindExtra returns the notebooks that are only in the folder of the workspace, as changes of state
// Extra.
func FindExtra(ctx context.Context, ws Workspace, folder string, all []notebooks.Notebook) ([]Change, error) {
	objects, err := ws.ListAll(ctx, workspace.ListWorkspaceRequest{Path: folder})
	if errors.Is(err, apierr.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", folder, err)
	}
	var extra []Change
	for _, object := range objects {
		name := path.Base(object.Path)
		known := slices.ContainsFunc(all, func(n notebooks.Notebook) bool { return n.Name == name })
		if object.ObjectType == workspace.ObjectTypeNotebook && !known {
			extra = append(extra, Change{Name: name, Path: object.Path, State: Extra})
		}
	}
	return extra, nil
}

// export returns the source of a notebook in the workspace, in normal form. The error is
// apierr.ErrNotFound if there is no such notebook.
func export(ctx context.Context, ws Workspace, path string) (string, error) {
	response, err := ws.Export(ctx, workspace.ExportRequest{Path: path, Format: workspace.ExportFormatSource})
	if err != nil {
		return "", err
	}
	source, err := base64.StdEncoding.DecodeString(response.Content)
	if err != nil {
		return "", fmt.Errorf("the response of the workspace is not base64: %w", err)
	}
	return notebooks.Normal(string(source)), nil
}

// Push writes the notebooks into that folder of the workspace, and creates the folder if it does
// not exist. It writes only what is new or changed, and returns the changes. Pushing again changes
// nothing. Other notebooks in the folder remain.
func Push(ctx context.Context, ws Workspace, folder string, all []notebooks.Notebook) ([]Change, error) {
	if err := ws.MkdirsByPath(ctx, folder); err != nil {
		return nil, fmt.Errorf("folder %s: %w", folder, err)
	}
	changes, err := Compare(ctx, ws, folder, all)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	for i, change := range changes {
		if change.State == Same {
			continue
		}
		group.Go(func() error {
			err := ws.Import(ctx, workspace.Import{
				Path:      change.Path,
				Content:   base64.StdEncoding.EncodeToString([]byte(all[i].Source)),
				Format:    workspace.ImportFormatSource,
				Language:  workspace.LanguageSql,
				Overwrite: true,
			})
			if err != nil {
				return fmt.Errorf("notebook %s: %w", change.Path, err)
			}
			return nil
		})
	}
	return changes, group.Wait()
}
