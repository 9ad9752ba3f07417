package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/jedib0t/go-pretty/v6/text"
)

// jobRuns is what commands ask a workspace's Jobs API.
type jobRuns interface {
	GetRun(ctx context.Context, request jobs.GetRunRequest) (*jobs.Run, error)
	GetRunOutput(ctx context.Context, request jobs.GetRunOutputRequest) (*jobs.RunOutput, error)
}

// jobLog is what a run on Databricks has left.
type jobLog struct {
	// Source tells these objects from the lines of workers.
	Source   string       `json:"source"`
	Task     string       `json:"task"`
	Try      int          `json:"try"`
	JobRunID int64        `json:"jobRunId"`
	Link     string       `json:"link,omitempty"`
	State    string       `json:"state,omitempty"`
	Message  string       `json:"message,omitempty"`
	Started  time.Time    `json:"started,omitzero"`
	Ended    time.Time    `json:"ended,omitzero"`
	Tasks    []jobTaskLog `json:"tasks,omitempty"`
	// Problem is why Databricks could not say more.
	Problem string `json:"problem,omitempty"`
}

// jobTaskLog is what one task of a run on Databricks has left.
type jobTaskLog struct {
	TaskKey string `json:"taskKey"`
	Output  string `json:"output,omitempty"`
	// Truncated says that Databricks kept only the start of the output.
	Truncated bool   `json:"truncated,omitempty"`
	Error     string `json:"error,omitempty"`
	Trace     string `json:"trace,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

// printJobs prints what the runs on Databricks have left. What Databricks does not tell fails nothing: the lines of the workers are there.
func (a *app) printJobs(ctx context.Context, printer *logPrinter, all []jobRun) error {
	if len(all) == 0 {
		return nil
	}
	ws, err := a.connect.workspace()
	for _, job := range all {
		log := jobLog{Source: "databricks", Task: job.task, Try: job.try, JobRunID: job.id, Link: job.link}
		if err == nil {
			err = log.ask(ctx, ws)
		}
		if err != nil { // it is not asked again: each question would take its time
			log.Problem = "Databricks cannot be asked: " + err.Error()
		}
		if err := a.printJob(printer, job, log); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for a run and its outputs. The error says that Databricks cannot be reached; what it does not know any more is in Problem.
func (l *jobLog) ask(ctx context.Context, ws *workspace) error {
	run, err := ws.runs.GetRun(ctx, jobs.GetRunRequest{RunId: l.JobRunID})
	if err != nil {
		return l.forgotten(ws, err, &l.Problem)
	}
	l.State, l.Message = jobState(run)
	l.Started, l.Ended = millis(run.StartTime), millis(run.EndTime)
	if run.RunPageUrl != "" {
		l.Link = run.RunPageUrl
	}
	if l.Ended.IsZero() {
		return nil
	}
	for _, task := range run.Tasks {
		log := jobTaskLog{TaskKey: task.TaskKey}
		output, err := ws.runs.GetRunOutput(ctx, jobs.GetRunOutputRequest{RunId: task.RunId}) // the output of the whole run cannot be asked for
		if err != nil {
			if err := l.forgotten(ws, err, &log.Problem); err != nil {
				return err
			}
		} else {
			log.take(output)
		}
		l.Tasks = append(l.Tasks, log)
	}
	return nil
}

func (l *jobTaskLog) take(output *jobs.RunOutput) {
	l.Error, l.Trace, l.Output, l.Truncated = output.Error, output.ErrorTrace, output.Logs, output.LogsTruncated
	if n := output.NotebookOutput; n != nil {
		l.Output, l.Truncated = n.Result, n.Truncated
	}
}

// forgotten notes that Databricks does not know something, and returns any other trouble.
func (l *jobLog) forgotten(ws *workspace, err error, problem *string) error {
	var answer *apierr.APIError
	if errors.Is(err, apierr.ErrNotFound) {
		*problem = "Databricks does not know it any more: it keeps runs for 60 days, unless somebody deletes them"
		return nil
	}
	err = ws.databricksError(err)
	if errors.As(err, &answer) && exitCode(err) != exitUnreachable { // an answer about this run alone
		*problem = "Databricks refuses to tell: " + answer.Message
		return nil
	}
	return err
}

// jobState is how a run stands: its result if it has one, else where it is in its life. API versions differ in where they say it.
func jobState(run *jobs.Run) (state, message string) {
	if s := run.State; s != nil && s.LifeCycleState != "" {
		if state = string(s.ResultState); state == "" {
			state = string(s.LifeCycleState)
		}
		return state, s.StateMessage
	}
	if s := run.Status; s != nil {
		if end := s.TerminationDetails; end != nil {
			return string(end.Code), end.Message
		}
		return string(s.State), ""
	}
	return "UNKNOWN", ""
}

// millis is a time of the Jobs API, in milliseconds since 1970; 0 is none.
func millis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (a *app) printJob(p *logPrinter, job jobRun, l jobLog) error {
	if p.raw {
		encoder := json.NewEncoder(a.stdout) // a line, as those of the workers
		encoder.SetEscapeHTML(false)
		return encoder.Encode(l)
	}
	title := fmt.Sprintf("\n%s", a.paint(text.Bold, job.String()))
	if l.State != "" {
		title += ": " + a.paintResult(l.State)
	}
	if !l.Started.IsZero() {
		title += ", " + a.took(l.Started, l.Ended)
	}
	a.say("%s", title)
	if l.Link != "" {
		a.say("%s", l.Link)
	}
	for _, line := range []string{l.Message, l.Problem} {
		if line != "" {
			a.say("%s", p.wrap(line, 0))
		}
	}
	for _, task := range l.Tasks {
		a.printJobTask(p, task)
	}
	return nil
}

func (a *app) printJobTask(p *logPrinter, task jobTaskLog) {
	if task.Problem != "" {
		a.say("%s", p.wrap(task.TaskKey+": "+task.Problem, 0))
	}
	for _, part := range []struct{ name, text string }{{"error", task.Error}, {"trace", task.Trace}, {"output", task.Output}} {
		if part.text != "" {
			a.say("%s:\n%s", part.name, p.block(part.text, 2))
		}
	}
	if task.Truncated {
		a.say("(Databricks kept only the start of the output)")
	}
}
