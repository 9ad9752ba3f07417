package activities

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/jobs"
)

// Compute is what notebooks run on. The zero value is serverless.
type Compute struct {
	Warehouse  string               // the id of a SQL warehouse
	Cluster    string               // the id of an existing cluster
	NewCluster *compute.ClusterSpec // a cluster for each run: it takes minutes to start
}

// ParseCompute parses PINFLOW_COMPUTE: serverless, warehouse:<id>, cluster:<id>, or the JSON of a
// new cluster.
func ParseCompute(text string) (Compute, error) {
	kind, id, _ := strings.Cut(text, ":")
	switch {
	case text == "" || text == "serverless":
		return Compute{}, nil
	case kind == "warehouse" && id != "":
		return Compute{Warehouse: id}, nil
	case kind == "cluster" && id != "":
		return Compute{Cluster: id}, nil
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		spec := &compute.ClusterSpec{}
		if err := json.Unmarshal([]byte(text), spec); err != nil {
			return Compute{}, fmt.Errorf("PINFLOW_COMPUTE is not the JSON of a new cluster: %w", err)
		}
		return Compute{NewCluster: spec}, nil
	}
	return Compute{}, fmt.Errorf("PINFLOW_COMPUTE=%q: want serverless, warehouse:<id>, cluster:<id>, or the JSON of a new cluster", text)
}

// Place makes the task run on the compute.
func (c Compute) Place(task *jobs.SubmitTask) {
	switch {
	case c.Warehouse != "":
		task.NotebookTask.WarehouseId = c.Warehouse
	case c.Cluster != "":
		task.ExistingClusterId = c.Cluster
	case c.NewCluster != nil:
		task.NewCluster = c.NewCluster
	default:
		// Otherwise serverless retries a failed task by itself. Retries are for the DAG to decide.
		task.DisableAutoOptimization = true
	}
}
