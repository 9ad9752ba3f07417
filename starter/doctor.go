package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/notebooks"
)

// finding is one check of the doctor.
type finding struct {
	System string `json:"system"`
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	// Detail is what was found; if it is not well, what is wrong and what to do.
	Detail string `json:"detail"`
	// Unreachable says that the system could not be asked at all.
	Unreachable bool `json:"unreachable,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check each system: is it there, is it set up, and what to do if not",
		Long: "Doctor changes nothing but an object doctor/… in the bucket, which it writes to see that it can. Dates that are overdue, have failed or were seen in part " +
			"within the last week are found without a worker, from Schedule and ledger.\n\nThe exit code is 3 if a system cannot be reached, 1 if something else is wrong.",
		Args: cobra.NoArgs, GroupID: groupSystems,
		RunE: func(c *cobra.Command, _ []string) error { return a.doctor(c) },
	}
	return prints(c, formTable, formJSON)
}

// checkup is one check: what is well, or an error that says what to do.
type checkup struct {
	name string
	do   func() (string, error)
}

func (a *app) doctor(c *cobra.Command) error {
	systems := []func(context.Context) []finding{a.checkTemporal, a.checkKafka, a.checkBucket, a.checkDatabricks, a.checkGateway, a.checkAlarms}
	found := make([][]finding, len(systems))
	group, ctx := errgroup.WithContext(c.Context())
	for i, check := range systems {
		group.Go(func() error {
			found[i] = check(ctx)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	all := slices.Concat(found...)
	if a.form(c) == formJSON {
		if err := a.printJSON(all); err != nil {
			return err
		}
	} else {
		for _, f := range all {
			a.printFinding(f)
		}
	}
	return verdict(all)
}

// verdict is the exit code that the findings make.
func verdict(all []finding) error {
	switch {
	case slices.ContainsFunc(all, func(f finding) bool { return f.Unreachable }):
		return errShown{exitUnreachable}
	case slices.ContainsFunc(all, func(f finding) bool { return !f.OK }):
		return errShown{exitFailed}
	}
	return nil
}

func (a *app) printFinding(f finding) {
	mark := a.paint(text.FgGreen, "ok  ")
	if !f.OK {
		mark = a.paint(text.FgRed, "FAIL")
	}
	a.say("%s  %-10s %-18s %s", mark, f.System, f.Check, strings.ReplaceAll(f.Detail, "\n", " "))
}

// examine does the checks of one system. After one that could not reach it, the others are not done.
func examine(system string, checks ...checkup) []finding {
	var all []finding
	for _, check := range checks {
		detail, err := check.do()
		f := finding{System: system, Check: check.name, OK: err == nil, Detail: detail}
		if err != nil {
			f.Detail, f.Unreachable = err.Error(), exitCode(err) == exitUnreachable
		}
		if all = append(all, f); f.Unreachable {
			break
		}
	}
	return all
}

func (a *app) checkTemporal(ctx context.Context) []finding {
	conn, err := a.connect.temporal(ctx)
	if err != nil {
		return examine("Temporal", checkup{"server", func() (string, error) { return "", err }})
	}
	defer conn.Close()
	return examine("Temporal",
		checkup{"namespace", func() (string, error) { return checkNamespace(ctx, conn) }},
		checkup{"search attributes", func() (string, error) { return checkAttributes(ctx, conn) }},
		checkup{"schedule", func() (string, error) { return a.checkSchedule(ctx, conn) }},
		checkup{"worker", func() (string, error) { return a.checkWorker(ctx, conn) }},
		checkup{"dates", func() (string, error) { return a.checkDates(ctx, conn) }},
	)
}

func checkNamespace(ctx context.Context, conn *temporal.Connection) (string, error) {
	answer, err := conn.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: conn.Namespace})
	if err != nil {
		return "", conn.Classify(err)
	}
	kept := answer.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	return fmt.Sprintf("%s at %s, closed runs are kept for %d days", conn.Namespace, conn.Address, int(kept/(24*time.Hour))), nil
}

func checkAttributes(ctx context.Context, conn *temporal.Connection) (string, error) {
	lacking, err := missingAttributes(ctx, conn)
	if err != nil {
		return "", err
	}
	if len(lacking) > 0 {
		return "", fmt.Errorf("%d are missing: run `starter setup`", len(lacking))
	}
	return fmt.Sprintf("%d of %d are there", len(search.Attributes()), len(search.Attributes())), nil
}

func (a *app) checkSchedule(ctx context.Context, conn *temporal.Connection) (string, error) {
	description, err := scheduleHandle(ctx, conn).Describe(ctx)
	if err != nil {
		return "", scheduleError(conn, err)
	}
	view, err := a.viewSchedule(description)
	switch {
	case err != nil:
		return "", err
	case len(view.Behind) > 0:
		return "", errors.New("it differs from what the settings and this build say it is: run `starter schedule apply`")
	case view.Paused:
		return fmt.Sprintf("%s is paused (%s); `starter schedule resume` lets it start runs", view.ID, view.Note), nil
	case len(view.Next) == 0:
		return "", errors.New("it has no next firing: run `starter schedule apply`")
	}
	return fmt.Sprintf("%s fires next at %s UTC", view.ID, moment(view.Next[0])), nil
}

// pollAge is how long ago a worker may have polled and still be taken for alive: a poll lasts a minute at most, and the server forgets
// a poller after five.
const pollAge = 2 * time.Minute

// checkWorker looks for a worker that has polled the task queue lately, for workflows and for activities.
func (a *app) checkWorker(ctx context.Context, conn *temporal.Connection) (string, error) {
	var names []string
	for _, kind := range []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY} {
		queue, err := conn.DescribeTaskQueue(ctx, run.TaskQueue, kind)
		if err != nil {
			return "", conn.Classify(err)
		}
		names = nil
		for _, poller := range queue.GetPollers() {
			if a.now().Sub(poller.GetLastAccessTime().AsTime()) < pollAge {
				names = append(names, poller.GetIdentity())
			}
		}
		if len(names) == 0 {
			return "", fmt.Errorf("no worker polls task queue %s: start one with `bin/workers`; if one runs, look at its log", run.TaskQueue)
		}
	}
	slices.Sort(names)
	return fmt.Sprintf("%s polls task queue %s", join(slices.Compact(names)), run.TaskQueue), nil
}

func (a *app) checkKafka(ctx context.Context) []finding {
	return examine("Kafka", checkup{"topics", func() (string, error) {
		there, err := a.connect.topics(a.settings).ListTopics(ctx)
		if err != nil {
			return "", kafka.Classify(err)
		}
		var found, missing []string
		for _, kind := range answers.Kinds {
			name := a.settings.Topic(kind)
			missing = append(missing, name)
			for _, topic := range there {
				if topic.Name == name {
					found = append(found, fmt.Sprintf("%s (%d partitions)", name, topic.Partitions))
					missing = missing[:len(missing)-1]
				}
			}
		}
		if len(missing) > 0 {
			return "", fmt.Errorf("%s missing at %s: run `starter setup`, or set PINFLOW_USER_ID", join(missing), join(a.settings.Brokers))
		}
		return join(found), nil
	}})
}

func (a *app) checkBucket(ctx context.Context) []finding {
	return examine("S3", checkup{"bucket", func() (string, error) {
		objects, err := a.connect.bucket(ctx, a.settings)
		if err != nil {
			return "", s3.Classify(err)
		}
		key := "doctor/last-check"
		err = objects.Put(ctx, bucket.PutInput{Key: key, Body: []byte(a.now().UTC().Format(time.RFC3339) + "\n")})
		if err != nil && strings.Contains(err.Error(), "NoSuchBucket") {
			return "", fmt.Errorf("there is no bucket %s: run `starter setup`, or set PINFLOW_BUCKET", a.settings.Bucket)
		}
		if err != nil {
			return "", s3.Classify(err)
		}
		return a.settings.RawPath() + " can be written", nil
	}})
}

func (a *app) checkDatabricks(ctx context.Context) []finding {
	ws, err := a.connect.workspace()
	if err != nil {
		return examine("Databricks", checkup{"settings", func() (string, error) { return "", err }})
	}
	return examine("Databricks",
		checkup{"token", func() (string, error) {
			user, err := ws.user(ctx)
			return fmt.Sprintf("%s at %s", user, ws.host), ws.databricksError(err)
		}},
		checkup{"notebooks", func() (string, error) {
			changes, err := notebookpush.Compare(ctx, ws.notebooks, a.settings.Notebooks, notebooks.All())
			if err != nil {
				return "", ws.databricksError(err)
			}
			if n := differing(changes); n > 0 {
				return "", fmt.Errorf("%d of %d in %s differ from this build's: see `starter notebooks diff`, run `starter notebooks push`", n, len(changes), a.settings.Notebooks)
			}
			return fmt.Sprintf("all %d in %s are this build's", len(changes), a.settings.Notebooks), nil
		}},
		checkup{"schema", func() (string, error) {
			there, err := ws.warehouse(a.settings).HasSchema(ctx)
			if err == nil && !there {
				return "", fmt.Errorf("there is no schema %s: run `starter setup`, or set PINFLOW_SCHEMA", a.settings.Schema)
			}
			return a.settings.Schema, ws.databricksError(err)
		}},
	)
}

func (a *app) checkGateway(ctx context.Context) []finding {
	return examine("gateway", checkup{"healthz", func() (string, error) {
		url := strings.TrimSuffix(a.settings.GatewayURL, "/")
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
		if err != nil {
			return "", fmt.Errorf("PINFLOW_GATEWAY_URL=%q: %w", a.settings.GatewayURL, err)
		}
		answer, err := a.connect.http.Do(request)
		if err != nil {
			return "", &fault.Error{Kind: fault.Unreachable, What: "cannot reach the gateway at " + url, Next: "start it with `bin/gateway`, or set PINFLOW_GATEWAY_URL", Err: err}
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(io.LimitReader(answer.Body, 500))
		if err != nil || answer.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s says that it is not well (%s): %s", url, answer.Status, strings.TrimSpace(string(body)))
		}
		return url, nil
	}})
}
