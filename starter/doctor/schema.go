package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/listing"
	"github.com/databricks/databricks-sdk-go/service/jobs"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/schema"
	"github.com/pinflow/pinflow/starter/systems"
)

const (
	// sharedSince is how far back Databricks runs are searched for another deployment's.
	sharedSince = 7 * 24 * time.Hour
	// sharedRuns is how many of them are searched, the latest first.
	sharedRuns = 200
	// runsPage is the largest page of runs with their tasks (Jobs API 2.2, runs/list).
	runsPage = 25
)

// schema checks that the schema exists, that no other installation writes it or has the same name,
// and that its tables are those of this build and of this user id.
func (d *Doctor) schema(ctx context.Context, ws *systems.Workspace) (string, error) {
	warehouse := ws.Warehouse(d.Settings)
	exists, err := warehouse.HasSchema(ctx)
	switch {
	case err != nil:
		return "", databricks.Classify(err)
	case !exists:
		return "", fmt.Errorf("schema %s does not exist: run `starter setup`, or set PINFLOW_SCHEMA", d.Settings.Schema)
	}
	conflict, err := d.conflict(ctx, ws.Runs)
	if err != nil || conflict != nil {
		return "", cmp.Or(databricks.Classify(err), conflict)
	}
	err = schema.Check(ctx, warehouse, schema.Expected{Notebooks: d.Notebooks, Topics: d.Settings.Topics()})
	return d.Settings.Schema, databricks.Classify(err)
}

// conflict returns an error about the latest Databricks run of another installation that this one
// can meet; a nil conflict if there is none. It sees the runs that the token may see.
func (d *Doctor) conflict(ctx context.Context, runs systems.JobRuns) (conflict, err error) {
	all := runs.ListRuns(ctx, jobs.ListRunsRequest{
		RunType: jobs.RunTypeSubmitRun, ExpandTasks: true, Limit: runsPage, StartTimeFrom: d.Now().Add(-sharedSince).UnixMilli(),
	})
	for range sharedRuns {
		run, err := all.Next(ctx)
		if errors.Is(err, listing.ErrNoMoreItems) {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, task := range run.Tasks {
			if conflict := d.meets(run, task); conflict != nil {
				return conflict, nil
			}
		}
	}
	return nil, nil
}

// meets returns how the run of a notebook of another installation can meet those of this one. The
// parameters are those that activities.Notebooks gives to every notebook.
func (d *Doctor) meets(run jobs.BaseRun, task jobs.RunTask) error {
	if task.NotebookTask == nil || task.NotebookTask.BaseParameters["raw_path"] == "" {
		return nil
	}
	params, own := task.NotebookTask.BaseParameters, d.Settings
	switch other := deploymentOf(run); {
	case other == string(own.Deployment) && params["raw_path"] != own.RawPath():
		return fmt.Errorf("another installation in the workspace is named %s, too, with the bucket %s (run %s), and the two cancel each other's runs: "+
			"give one of them another PINFLOW_DEPLOYMENT. If it is this one, whose PINFLOW_BUCKET has changed, wait a week",
			other, params["raw_path"], run.RunPageUrl)
	case other != string(own.Deployment) && params["schema"] == own.Schema:
		return fmt.Errorf("deployment %s writes schema %s, too (run %s): give one of the two another PINFLOW_SCHEMA", other, own.Schema, run.RunPageUrl)
	}
	return nil
}

// deploymentOf returns the deployment of a Databricks run, which begins its name.
func deploymentOf(run jobs.BaseRun) string {
	name, _, _ := strings.Cut(run.RunName, " ")
	return name
}
