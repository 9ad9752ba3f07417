package tree

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/databricks/databricks-sdk-go/service/workspace"
)

// DashboardEnding ends the names of the files of dashboards.
const DashboardEnding = ".lvdash.json"

// ErrTaken is the error for a path at which something is already.
var ErrTaken = errPathTaken

// DashboardID returns the id of the dashboard at a path: 32 hexadecimal digits, as in the service,
// that depend only on the path.
func DashboardID(path string) string {
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:16])
}

// CleanPath validates and normalizes an absolute workspace path.
func CleanPath(text string) (string, error) { return cleanPath(text) }

// WriteDashboard stores the content of a dashboard at a clean path. It returns ErrMissing if the
// folder does not exist, and ErrTaken for an existing object that is not to be overwritten or is no
// dashboard.
func (t *Tree) WriteDashboard(path string, content []byte, overwrite bool) error {
	return t.write(path, diskPath(path), workspace.ObjectTypeDashboard, content, overwrite)
}

// ReadDashboard returns the content of the dashboard at a clean path, or ErrMissing.
func (t *Tree) ReadDashboard(path string) ([]byte, error) {
	o, err := t.dashboard(path)
	if err != nil {
		return nil, err
	}
	return t.read(o)
}

// RemoveDashboard deletes the dashboard at a clean path. It returns ErrMissing if there is none.
func (t *Tree) RemoveDashboard(path string) error {
	o, err := t.dashboard(path)
	if err != nil {
		return err
	}
	return t.remove(o)
}

func (t *Tree) dashboard(path string) (object, error) {
	o, err := t.find(path)
	if err == nil && o.kind != workspace.ObjectTypeDashboard {
		err = ErrMissing
	}
	return o, err
}
