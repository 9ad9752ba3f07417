package runs

import (
	"net/http"
	"regexp"
	"slices"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// singleTask is the older form of a submit: the fields of one task beside those of the run. The
// SDK's type does not have it; Airflow's operators send it.
type singleTask struct {
	NotebookTask      *jobs.NotebookTask   `json:"notebook_task"`
	ExistingClusterID string               `json:"existing_cluster_id"`
	NewCluster        *compute.ClusterSpec `json:"new_cluster"`
	Libraries         []compute.Library    `json:"libraries"`
}

// submitShape has the fields that clients often send in another type, and the tasks that this
// workspace does not run.
type submitShape struct {
	RunName        string         `json:"run_name"`
	TimeoutSeconds int            `json:"timeout_seconds"`
	NotebookTask   *notebookShape `json:"notebook_task"`
	Tasks          []struct {
		TaskKey      string         `json:"task_key"`
		NotebookTask *notebookShape `json:"notebook_task"`
	} `json:"tasks"`

	SparkJarTask    any `json:"spark_jar_task"`
	SparkPythonTask any `json:"spark_python_task"`
	SparkSubmitTask any `json:"spark_submit_task"`
	PipelineTask    any `json:"pipeline_task"`
	DbtTask         any `json:"dbt_task"`
}

type notebookShape struct {
	NotebookPath   string    `json:"notebook_path"`
	BaseParameters api.Texts `json:"base_parameters"`
}

// unsupported returns the name of a task's type that this workspace does not run.
func (s submitShape) unsupported() string {
	for name, task := range map[string]any{
		"spark_jar_task": s.SparkJarTask, "spark_python_task": s.SparkPythonTask, "spark_submit_task": s.SparkSubmitTask,
		"pipeline_task": s.PipelineTask, "dbt_task": s.DbtTask,
	} {
		if task != nil {
			return name
		}
	}
	return ""
}

// readSubmit reads a submit in either form, and reports whether it was that of a single task.
func readSubmit(r *http.Request) (request jobs.SubmitRun, single bool, err error) {
	var shape submitShape
	var task singleTask
	if err := api.ReadBody(r, &shape, &request, &task); err != nil {
		return request, false, err
	}
	switch {
	case shape.unsupported() != "":
		return request, false, api.InvalidParameter("The run has a %s. This workspace runs tasks of the type notebook_task only.", shape.unsupported())
	case task.NotebookTask == nil:
		return request, false, nil
	case len(request.Tasks) > 0:
		return request, false, api.InvalidParameter("A run has either tasks and notebook_task in each of them, or one notebook_task, but not both tasks and notebook_task.")
	}
	request.Tasks = []jobs.SubmitTask{{
		TaskKey:           taskKeyOf(request.RunName),
		NotebookTask:      task.NotebookTask,
		ExistingClusterId: task.ExistingClusterID,
		NewCluster:        task.NewCluster,
		Libraries:         slices.Clip(task.Libraries),
	}}
	return request, true, nil
}

var notInTaskKey = regexp.MustCompile(`[^\w-]`)

// taskKeyOf returns the key of a single task. As in the service, it is the run's name: Airflow's
// DatabricksNotebookOperator finds its task by that.
func taskKeyOf(runName string) string {
	key := notInTaskKey.ReplaceAllString(runName, "_")
	if key == "" {
		key = defaultRunName
	}
	return key[:min(len(key), maxTaskKey)]
}
