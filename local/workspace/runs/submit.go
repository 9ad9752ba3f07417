package runs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// Limits of jobs/runs/submit, as the Jobs API documents them.
const (
	maxTokenLength  = 64      // characters of an idempotency_token
	maxRunName      = 4096    // bytes of a run_name
	maxTaskKey      = 100     // characters of a task_key
	maxTasks        = 100     // tasks of a one-time run
	maxParameters   = 1 << 20 // bytes of a notebook's base_parameters as JSON
	defaultRunName  = "Untitled"
	conditionsOfRun = "ALL_SUCCESS, ALL_DONE, NONE_FAILED, AT_LEAST_ONE_SUCCESS, ALL_FAILED, AT_LEAST_ONE_FAILED"
)

var taskKeyPattern = regexp.MustCompile(`^[\w-]{1,100}$`)

// submitRun starts a one-time run and returns its id at once. Another request with the same
// idempotency token gets the id of the first run, whatever its content; a token whose run was
// deleted is an error.
//
// Compute settings (clusters, environments, libraries), access control and notifications are
// accepted and ignored: all runs share one SQL engine. Unsupported options that would change what a
// run does are rejected.
func (a *API) submitRun(r *http.Request) (any, error) {
	request, single, err := readSubmit(r)
	if err != nil {
		return nil, err
	}
	if err := a.checkSubmit(request); err != nil {
		return nil, err
	}
	id, created, err := a.submit(r, request, single)
	if errors.Is(err, errTokenDeleted) {
		return nil, api.InvalidParameter("The run with the idempotency token %q was deleted. Use another token to start a new run.", request.IdempotencyToken)
	}
	if err != nil {
		return nil, err
	}
	if !created {
		a.log.Info("run found by its idempotency token", "run_id", id, "run_name", request.RunName)
	}
	return jobs.SubmitRunResponse{RunId: id}, nil
}

func (a *API) submit(r *http.Request, request jobs.SubmitRun, single bool) (id int64, created bool, err error) {
	submitted := &Run{
		Name:           request.RunName,
		Token:          request.IdempotencyToken,
		TimeoutSeconds: request.TimeoutSeconds,
		Submitted:      a.now().UnixMilli(),
		Phase:          phasePending,
		Single:         single,
	}
	if submitted.Name == "" {
		submitted.Name = defaultRunName
	}
	for _, spec := range request.Tasks {
		t := &TaskRun{Spec: spec, Phase: phasePending}
		if len(spec.DependsOn) > 0 {
			t.Phase = phaseBlocked
		}
		submitted.Tasks = append(submitted.Tasks, t)
	}
	// A stored run must also start, even if the client disconnects.
	id, created, err = a.store.submit(context.WithoutCancel(r.Context()), submitted)
	if err != nil || !created {
		return id, created, err
	}
	a.log.Info("run submitted", "run_id", id, "run_name", submitted.Name, "tasks", len(submitted.Tasks))
	a.runner.start(submitted)
	return id, true, nil
}

func (a *API) checkSubmit(request jobs.SubmitRun) error {
	switch {
	case utf8.RuneCountInString(request.IdempotencyToken) > maxTokenLength:
		return api.InvalidParameter("idempotency_token must have at most %d characters, it has %d.", maxTokenLength, utf8.RuneCountInString(request.IdempotencyToken))
	case len(request.RunName) > maxRunName:
		return api.InvalidParameter("run_name must have at most %d bytes, it has %d.", maxRunName, len(request.RunName))
	case request.TimeoutSeconds < 0:
		return api.InvalidParameter("timeout_seconds must not be negative, it is %d.", request.TimeoutSeconds)
	case request.GitSource != nil:
		return api.InvalidParameter("git_source is not supported by this workspace; import the notebook and use the source WORKSPACE.")
	case len(request.Tasks) == 0:
		return api.MissingField("tasks")
	case len(request.Tasks) > maxTasks:
		return api.InvalidParameter("A run can have at most %d tasks, this one has %d.", maxTasks, len(request.Tasks))
	}
	keys := map[string]bool{}
	for _, task := range request.Tasks {
		if err := a.checkTask(task); err != nil {
			return err
		}
		if keys[task.TaskKey] {
			return api.InvalidParameter("The task_key %q is used by more than one task.", task.TaskKey)
		}
		keys[task.TaskKey] = true
	}
	return checkDependencies(request.Tasks)
}

func (a *API) checkTask(task jobs.SubmitTask) error {
	if task.TaskKey == "" {
		return api.MissingField("tasks.task_key")
	}
	if !taskKeyPattern.MatchString(task.TaskKey) {
		return api.InvalidParameter("Invalid task_key %q: it must have 1 to 100 letters, digits, hyphens and underscores.", task.TaskKey)
	}
	notebook := task.NotebookTask
	if notebook == nil {
		return api.InvalidParameter("Task %s has no notebook_task, the one type of task that this workspace runs.", task.TaskKey)
	}
	parameters, err := json.Marshal(notebook.BaseParameters)
	if err != nil {
		return err
	}
	switch {
	case notebook.NotebookPath == "":
		return api.MissingField("tasks.notebook_task.notebook_path")
	case notebook.Source == jobs.SourceGit:
		return api.InvalidParameter("Task %s has the source GIT, which this workspace does not support; use WORKSPACE.", task.TaskKey)
	case notebook.Source != "" && notebook.Source != jobs.SourceWorkspace:
		return api.InvalidParameter("Invalid source %q of task %s: it must be WORKSPACE.", notebook.Source, task.TaskKey)
	case !strings.HasPrefix(notebook.NotebookPath, "/"):
		return api.InvalidParameter("The notebook_path %q of task %s must be absolute and begin with a slash.", notebook.NotebookPath, task.TaskKey)
	case len(parameters) > maxParameters:
		return api.InvalidParameter("The base_parameters of task %s have %d bytes as JSON; the limit is %d.", task.TaskKey, len(parameters), maxParameters)
	case notebook.WarehouseId != "" && notebook.WarehouseId != a.options.WarehouseID:
		return api.InvalidParameter("%s is not a valid endpoint id.", notebook.WarehouseId)
	case task.TimeoutSeconds < 0:
		return api.InvalidParameter("timeout_seconds of task %s must not be negative, it is %d.", task.TaskKey, task.TimeoutSeconds)
	case task.MaxRetries != 0 || task.Disabled:
		return api.InvalidParameter("Task %s sets max_retries or disabled, which this workspace does not support.", task.TaskKey)
	}
	switch task.RunIf {
	case "", jobs.RunIfAllSuccess, jobs.RunIfAllDone, jobs.RunIfNoneFailed, jobs.RunIfAtLeastOneSuccess, jobs.RunIfAllFailed, jobs.RunIfAtLeastOneFailed:
		return nil
	}
	return api.InvalidParameter("Invalid run_if %q of task %s: it must be one of %s.", task.RunIf, task.TaskKey, conditionsOfRun)
}

// checkDependencies rejects dependencies on unknown tasks, and cycles: it removes tasks without
// open dependencies until none is left.
func checkDependencies(tasks []jobs.SubmitTask) error {
	open := map[string]bool{}
	for _, task := range tasks {
		open[task.TaskKey] = true
	}
	for _, task := range tasks {
		for _, parent := range task.DependsOn {
			if !open[parent.TaskKey] {
				return api.InvalidParameter("Task %s depends on the task %q, which is not in the run.", task.TaskKey, parent.TaskKey)
			}
			if parent.Outcome != "" {
				return api.InvalidParameter("Task %s sets the outcome of a dependency, which is for condition tasks only.", task.TaskKey)
			}
		}
	}
	for len(open) > 0 {
		before := len(open)
		for _, task := range tasks {
			ready := true
			for _, parent := range task.DependsOn {
				ready = ready && !open[parent.TaskKey]
			}
			if ready {
				delete(open, task.TaskKey)
			}
		}
		if len(open) == before {
			return api.InvalidParameter("The dependencies of the tasks form a circle.")
		}
	}
	return nil
}
