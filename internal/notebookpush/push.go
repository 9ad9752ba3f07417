// Package notebookpush brings the notebooks of this build into a Databricks workspace, and shows how the two differ.
package notebookpush

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path"

	"github.com/aymanbagabas/go-udiff"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/notebooks"
)

// Workspace is what is needed of Databricks' Workspace API; the SDK's client satisfies it.
type Workspace interface {
	Export(ctx context.Context, request workspace.ExportRequest) (*workspace.ExportResponse, error)
	Import(ctx context.Context, request workspace.Import) error
	MkdirsByPath(ctx context.Context, path string) error
}

// State is how a notebook of this build stands to the workspace.
type State string

// The states.
const (
	// New is not in the workspace.
	New State = "new"
	// Changed is in the workspace with another source.
	Changed State = "changed"
	// Same is in the workspace as it is here.
	Same State = "same"
)

// Change is how one notebook differs between the workspace and this build.
type Change struct {
	Name string `json:"name"`
	// Path is the notebook's place in the workspace.
	Path  string `json:"path"`
	State State  `json:"state"`
	// Hash is the hex sha256 of this build's source.
	Hash string `json:"hash"`
	// Diff is the way from the workspace's source to this build's, as a unified diff; empty if they are the same.
	Diff string `json:"diff,omitempty"`
}

// parallelCalls is how many notebooks are asked for at once. The Workspace API takes 30 requests a second.
const parallelCalls = 5

// Compare returns how each notebook differs from the one in that folder of the workspace, in the order given.
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

// export returns the source of a notebook in the workspace, in normal form. A notebook that is not there is apierr.ErrNotFound.
func export(ctx context.Context, ws Workspace, path string) (string, error) {
	response, err := ws.Export(ctx, workspace.ExportRequest{Path: path, Format: workspace.ExportFormatSource})
	if err != nil {
		return "", err
	}
	source, err := base64.StdEncoding.DecodeString(response.Content)
	if err != nil {
		return "", fmt.Errorf("the workspace's answer is not base64: %w", err)
	}
	return notebooks.Normal(string(source)), nil
}

// Push brings the notebooks into that folder of the workspace, which is made if it is not there. It writes only what is new or changed,
// and returns what it did. Pushing again changes nothing. Other notebooks in the folder are left alone.
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
