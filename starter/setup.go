package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/notebooks"
)

// outcome is what a step of the setup did.
type outcome string

const (
	created   outcome = "created"
	changed   outcome = "changed"
	unchanged outcome = "unchanged"
	deleted   outcome = "deleted"
)

// setupStep is one step of the setup, done.
type setupStep struct {
	Name    string  `json:"step"`
	Outcome outcome `json:"outcome"`
	Detail  string  `json:"detail"`
}

func (a *app) setupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "setup",
		Short: "Make what the pipeline needs: topics, bucket, search attributes, schema, notebooks, Schedule",
		Long:  "Setup makes what is missing in Kafka, S3, Temporal and Databricks. Running it again changes nothing that is right already.",
		Args:  cobra.NoArgs, GroupID: groupSystems,
		RunE: func(c *cobra.Command, _ []string) error {
			steps := []setupStep{}
			err := a.setup(c.Context(), func(step setupStep) {
				steps = append(steps, step)
				if a.form(c) != formJSON {
					a.printStep(step)
				}
			})
			if err == nil && a.form(c) == formJSON {
				return a.printJSON(steps)
			}
			return err
		},
	}
	return prints(c, formTable, formJSON)
}

// printStep writes one line for a step that is done.
func (a *app) printStep(step setupStep) {
	colour := text.FgGreen
	if step.Outcome == unchanged {
		colour = text.FgHiBlack
	}
	a.say("%s  %-18s %s  %s", a.paint(text.FgGreen, "ok"), step.Name, a.paint(colour, fmt.Sprintf("%-9s", step.Outcome)), step.Detail)
}

// setup does all steps in turn and reports each when it is done. It ends at the first that fails; doing it again goes on from there.
func (a *app) setup(ctx context.Context, report func(setupStep)) error {
	spec := scheduleSpec(a.settings)
	schedule, err := a.wantedSchedule(spec)
	if err != nil {
		return err
	}
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	ws, err := a.connect.workspace()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() (outcome, string, error)
	}{
		{"topics", func() (outcome, string, error) { return a.setupTopics(ctx) }},
		{"bucket", func() (outcome, string, error) { return a.setupBucket(ctx) }},
		{"search attributes", func() (outcome, string, error) { return a.setupSearchAttributes(ctx, conn) }},
		{"schema", func() (outcome, string, error) { return a.setupSchema(ctx, ws) }},
		{"notebooks", func() (outcome, string, error) { return a.setupNotebooks(ctx, ws) }},
		{"schedule", func() (outcome, string, error) {
			done, err := applySchedule(ctx, conn, schedule, applyOptions{})
			return done.Outcome, fmt.Sprintf("%s, %s", done.ID, spec), err
		}},
	} {
		did, detail, err := step.do()
		if err != nil {
			return fmt.Errorf("setup of %s: %w", step.name, err)
		}
		report(setupStep{step.name, did, detail})
	}
	return nil
}

// setupTopics makes the three topics. The broker stamps their records, so that a producer's clock cannot put one into a date that is over.
func (a *app) setupTopics(ctx context.Context) (outcome, string, error) {
	var all []kafka.Topic
	var names []string
	for _, kind := range answers.Kinds {
		all = append(all, kafka.Topic{Name: a.settings.Topic(kind), Partitions: a.settings.Partitions, Config: kafka.LogAppendTime})
		names = append(names, a.settings.Topic(kind))
	}
	fresh, err := a.connect.topics(a.settings).CreateTopics(ctx, all...)
	if err != nil {
		return "", "", kafka.Classify(err)
	}
	if len(fresh) == 0 {
		return unchanged, join(names), nil
	}
	return created, fmt.Sprintf("%s with %d partitions", join(fresh), a.settings.Partitions), nil
}

func (a *app) setupBucket(ctx context.Context) (outcome, string, error) {
	objects, err := a.connect.bucket(ctx, a.settings)
	if err != nil {
		return "", "", s3.Classify(err)
	}
	fresh, err := objects.EnsureBucket(ctx)
	if err != nil {
		return "", "", s3.Classify(err)
	}
	if fresh {
		return created, a.settings.RawPath(), nil
	}
	return unchanged, a.settings.RawPath(), nil
}

const (
	// attributeWait is how long new search attributes may take until they can be used: Temporal's caches are refreshed every 10 s by default.
	attributeWait = time.Minute
	// attributePoll is the time between two looks.
	attributePoll = 100 * time.Millisecond
)

// setupSearchAttributes adds the search attributes that the namespace lacks, and waits until they can be used.
func (a *app) setupSearchAttributes(ctx context.Context, conn *temporal.Connection) (outcome, string, error) {
	lacking, err := missingAttributes(ctx, conn)
	if err != nil {
		return "", "", err
	}
	var names []string
	for _, attribute := range search.Attributes() {
		names = append(names, attribute.Name)
	}
	if len(lacking) == 0 {
		return unchanged, join(names), nil
	}
	_, err = conn.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: conn.Namespace, SearchAttributes: lacking})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) { // somebody else has just added them
		return "", "", operatorError(conn, err)
	}
	return created, join(names), a.waitForAttributes(ctx, conn, names)
}

// missingAttributes are the search attributes that the namespace lacks. One that is there with another type is an error.
func missingAttributes(ctx context.Context, conn *temporal.Connection) (map[string]enumspb.IndexedValueType, error) {
	there, err := conn.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: conn.Namespace})
	if err != nil {
		return nil, operatorError(conn, err)
	}
	lacking := map[string]enumspb.IndexedValueType{}
	for _, want := range search.Attributes() {
		kind, ok := there.GetCustomAttributes()[want.Name]
		switch {
		case !ok:
			lacking[want.Name] = want.Type
		case kind != want.Type:
			return nil, fmt.Errorf("namespace %s has the search attribute %s as %s, Pinflow needs it as %s: remove or rename it with `temporal operator search-attribute`",
				conn.Namespace, want.Name, kind, want.Type)
		}
	}
	return lacking, nil
}

// operatorError says how to add search attributes where the operator's API is closed, as in Temporal Cloud.
func operatorError(conn *temporal.Connection, err error) error {
	var closed *serviceerror.Unimplemented
	var denied *serviceerror.PermissionDenied
	if errors.As(err, &closed) || errors.As(err, &denied) {
		var all []string
		for _, attribute := range search.Attributes() {
			all = append(all, fmt.Sprintf("%s (%s)", attribute.Name, attribute.Type))
		}
		return fmt.Errorf("the search attributes of namespace %s cannot be managed from here: add them on its page in Temporal Cloud: %s (%w)", conn.Namespace, join(all), err)
	}
	return conn.Classify(err)
}

// waitForAttributes waits until a search by the attributes is taken: before that, a run that carries them would be refused.
func (a *app) waitForAttributes(ctx context.Context, conn *temporal.Connection, names []string) error {
	conditions := make([]string, len(names))
	for i, name := range names {
		conditions[i] = name + " IS NULL"
	}
	request := &workflowservice.CountWorkflowExecutionsRequest{Query: strings.Join(conditions, " AND ")}
	for deadline := a.now().Add(attributeWait); ; {
		_, err := conn.CountWorkflow(ctx, request)
		var unknown *serviceerror.InvalidArgument
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &unknown):
			return conn.Classify(err)
		case a.now().After(deadline):
			return fmt.Errorf("the new search attributes cannot be used after %s: run `starter setup` again (%w)", attributeWait, err)
		}
		select {
		case <-a.after(attributePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// setupSchema makes the schema of the tables.
func (a *app) setupSchema(ctx context.Context, ws *workspace) (outcome, string, error) {
	warehouse := ws.warehouse(a.settings)
	there, err := warehouse.HasSchema(ctx)
	if err != nil {
		return "", "", ws.databricksError(err)
	}
	if there {
		return unchanged, a.settings.Schema, nil
	}
	if _, err := warehouse.Query(ctx, "CREATE SCHEMA IF NOT EXISTS "+warehouse.Name("")); err != nil {
		return "", "", ws.databricksError(err)
	}
	return created, a.settings.Schema, nil
}

func (a *app) setupNotebooks(ctx context.Context, ws *workspace) (outcome, string, error) {
	changes, err := notebookpush.Push(ctx, ws.notebooks, a.settings.Notebooks, notebooks.All())
	if err != nil {
		return "", "", ws.databricksError(err)
	}
	detail := fmt.Sprintf("%d in %s", len(changes), a.settings.Notebooks)
	fresh := 0
	for _, change := range changes {
		if change.State == notebookpush.New {
			fresh++
		}
	}
	switch n := differing(changes); {
	case n == 0:
		return unchanged, detail, nil
	case fresh == len(changes):
		return created, detail, nil
	default:
		return changed, fmt.Sprintf("%s, %d of them changed", detail, n), nil
	}
}
