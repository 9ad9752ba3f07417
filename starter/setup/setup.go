// Package setup creates what the pipeline needs: topics, bucket, search attributes, schema,
// notebooks and Schedules. Running it again changes nothing that is right already.
package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/internal/schema"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/systems"
)

// Setup sets the systems up for the DAGs of a catalog.
type Setup struct {
	Systems  systems.Systems
	Settings config.Config
	// Kinds holds the kinds of record whose topics are created.
	Kinds []string
	// ChangeTopics changes settings of existing topics that differ from the settings.
	ChangeTopics bool
	// Notebooks holds the notebooks that are pushed.
	Notebooks []notebooks.Notebook
	// DAGs controls each DAG that has a Schedule.
	DAGs []*control.Controller
	// Now and After are the clock.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Step is a step that is done.
type Step struct {
	Name    string          `json:"step"`
	Outcome control.Outcome `json:"outcome"`
	Detail  string          `json:"detail"`
	// Differences says how what exists differs from the settings.
	Differences []string `json:"differences,omitempty"`
}

// step is one step of the setup.
type step struct {
	name string
	do   func() (Step, error)
}

// plain returns a step that has nothing but an outcome and a detail.
func plain(name string, do func() (control.Outcome, string, error)) step {
	return step{name, func() (Step, error) {
		outcome, detail, err := do()
		return Step{Outcome: outcome, Detail: detail}, err
	}}
}

// Run does all steps in turn and reports each when it is done. It ends at the first that fails;
// running it again continues from there.
func (s *Setup) Run(ctx context.Context, report func(Step)) error {
	schedules, err := s.schedules()
	if err != nil {
		return err
	}
	conn, err := s.Systems.Temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	ws, err := s.Systems.Workspace()
	if err != nil {
		return err
	}
	steps := []step{
		{"topics", func() (Step, error) { return s.topics(ctx) }},
		plain("bucket", func() (control.Outcome, string, error) { return s.bucket(ctx) }),
		plain("search attributes", func() (control.Outcome, string, error) { return s.searchAttributes(ctx, conn) }),
		plain("schema", func() (control.Outcome, string, error) { return s.schema(ctx, ws) }),
		plain("notebooks", func() (control.Outcome, string, error) { return s.notebooks(ctx, ws) }),
	}
	for i, c := range s.DAGs {
		steps = append(steps, plain("schedule", func() (control.Outcome, string, error) {
			done, err := c.ApplySchedule(ctx, conn, schedules[i], control.ApplyOptions{Spec: c.ScheduleSpec()})
			return done.Outcome, fmt.Sprintf("%s, %s", done.ID, c.ScheduleSpec()), err
		}))
	}
	for _, step := range steps {
		done, err := step.do()
		if err != nil {
			return fmt.Errorf("setup of %s: %w", step.name, err)
		}
		done.Name = step.name
		report(done)
	}
	return nil
}

// schedules returns the Schedule of each DAG. It is called first, so that a wrong one stops the
// setup before anything is created.
func (s *Setup) schedules() ([]client.ScheduleOptions, error) {
	all := make([]client.ScheduleOptions, len(s.DAGs))
	for i, c := range s.DAGs {
		var err error
		if all[i], err = c.ScheduleOptions(c.ScheduleSpec()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *Setup) bucket(ctx context.Context) (control.Outcome, string, error) {
	objects, err := s.Systems.Bucket(ctx, s.Settings)
	if err != nil {
		return "", "", s3.Classify(err)
	}
	fresh, err := objects.EnsureBucket(ctx)
	if err != nil {
		return "", "", s3.Classify(err)
	}
	if fresh {
		return control.Created, s.Settings.RawPath(), nil
	}
	return control.Unchanged, s.Settings.RawPath(), nil
}

const (
	// attributeWait is how long new search attributes may take to be usable: Temporal refreshes its
	// caches every 10 s by default.
	attributeWait = time.Minute
	// attributePoll is the time between two checks.
	attributePoll = 100 * time.Millisecond
)

// searchAttributes adds the missing search attributes and waits until they are usable.
func (s *Setup) searchAttributes(ctx context.Context, conn *temporal.Connection) (control.Outcome, string, error) {
	missing, err := MissingAttributes(ctx, conn)
	if err != nil {
		return "", "", err
	}
	var names []string
	for _, attribute := range search.Attributes() {
		names = append(names, attribute.Name)
	}
	if len(missing) == 0 {
		return control.Unchanged, strings.Join(names, ", "), nil
	}
	_, err = conn.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: conn.Namespace, SearchAttributes: missing})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) { // another setup has just added them
		return "", "", operatorError(conn, err)
	}
	return control.Created, strings.Join(names, ", "), s.waitForAttributes(ctx, conn, names)
}

// MissingAttributes returns the search attributes that the namespace does not have. One that it has
// with another type is an error.
func MissingAttributes(ctx context.Context, conn *temporal.Connection) (map[string]enumspb.IndexedValueType, error) {
	existing, err := conn.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: conn.Namespace})
	if err != nil {
		return nil, operatorError(conn, err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, want := range search.Attributes() {
		kind, ok := existing.GetCustomAttributes()[want.Name]
		switch {
		case !ok:
			missing[want.Name] = want.Type
		case kind != want.Type:
			return nil, fmt.Errorf("namespace %s has the search attribute %s as %s, Pinflow needs it as %s: remove or rename it with `temporal operator search-attribute`",
				conn.Namespace, want.Name, kind, want.Type)
		}
	}
	return missing, nil
}

// operatorError returns an error that says how to add search attributes where the operator API is
// closed, as in Temporal Cloud.
func operatorError(conn *temporal.Connection, err error) error {
	var closed *serviceerror.Unimplemented
	var denied *serviceerror.PermissionDenied
	if errors.As(err, &closed) || errors.As(err, &denied) {
		var all []string
		for _, attribute := range search.Attributes() {
			all = append(all, fmt.Sprintf("%s (%s)", attribute.Name, attribute.Type))
		}
		return fmt.Errorf("the search attributes of namespace %s cannot be managed from here: add them on its page in Temporal Cloud: %s (%w)", conn.Namespace, strings.Join(all, ", "), err)
	}
	return conn.Classify(err)
}

// waitForAttributes waits until a search by the attributes is accepted. Until then Temporal rejects
// a run that has them.
func (s *Setup) waitForAttributes(ctx context.Context, conn *temporal.Connection, names []string) error {
	conditions := make([]string, len(names))
	for i, name := range names {
		conditions[i] = name + " IS NULL"
	}
	request := &workflowservice.CountWorkflowExecutionsRequest{Query: strings.Join(conditions, " AND ")}
	for deadline := s.Now().Add(attributeWait); ; {
		_, err := conn.CountWorkflow(ctx, request)
		var unknown *serviceerror.InvalidArgument
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &unknown):
			return conn.Classify(err)
		case s.Now().After(deadline):
			return fmt.Errorf("the new search attributes cannot be used after %s: run `starter setup` again (%w)", attributeWait, err)
		}
		select {
		case <-s.After(attributePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// schema creates the schema of the tables.
func (s *Setup) schema(ctx context.Context, ws *systems.Workspace) (control.Outcome, string, error) {
	warehouse := ws.Warehouse(s.Settings)
	exists, err := warehouse.HasSchema(ctx)
	if err != nil {
		return "", "", databricks.Classify(err)
	}
	if exists {
		err := schema.Check(ctx, warehouse, schema.Expected{Notebooks: s.Notebooks, Topics: s.Settings.Topics()})
		return control.Unchanged, s.Settings.Schema, databricks.Classify(err)
	}
	if _, err := warehouse.Query(ctx, "CREATE SCHEMA IF NOT EXISTS "+warehouse.Name("")); err != nil {
		return "", "", databricks.Classify(err)
	}
	return control.Created, s.Settings.Schema, nil
}

func (s *Setup) notebooks(ctx context.Context, ws *systems.Workspace) (control.Outcome, string, error) {
	changes, err := notebookpush.Push(ctx, ws.Notebooks, s.Settings.Notebooks, s.Notebooks)
	if err != nil {
		return "", "", databricks.Classify(err)
	}
	detail := fmt.Sprintf("%d in %s", len(changes), s.Settings.Notebooks)
	fresh := 0
	for _, change := range changes {
		if change.State == notebookpush.New {
			fresh++
		}
	}
	switch n := notebookpush.Differing(changes); {
	case n == 0:
		return control.Unchanged, detail, nil
	case fresh == len(changes):
		return control.Created, detail, nil
	default:
		return control.Changed, fmt.Sprintf("%s, %d of them new, %d changed", detail, fresh, n-fresh), nil
	}
}
