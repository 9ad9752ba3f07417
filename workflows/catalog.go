package workflows

import (
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/notebooks"
)

// DefaultCatalog holds the DAGs that workers run. A new DAG is a Definition in a file of its own,
// and an argument here.
var DefaultCatalog = dag.NewCatalog(Daily)

// NotebookParams holds the parameters of the notebooks that a run may set. The logical date is not
// one of them: it is the run's.
var NotebookParams = dag.Params{"schema": nil, "raw_path": nil, "user_id": nil, "posts_topic": nil, "invalid_followers": notebooks.InvalidFollowers}
