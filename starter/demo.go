package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/posts"
	"github.com/pinflow/pinflow/internal/run"
)

// demoOptions are the flags of `starter demo`.
type demoOptions struct {
	data, posts, out string
	portOffset       int
	exit             bool
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "The main job on an embedded stack: post, run the DAG, show the answers",
		Long: "Demo starts the embedded stack, the worker and the gateway, sets everything up, posts a day of posts through the gateway, runs the daily DAG\n" +
			"for today, and shows the DAG and its answers. It goes on until Ctrl-C; other commands work meanwhile, from the same directory.\n\n" +
			"The state stays in the data directory. A second demo there goes on with it: posts that are there are not posted again.",
		GroupID: groupSystems,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.demo(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", ".local", "`dir` of the state")
	f.StringVar(&o.posts, "posts", "", "post the lines of `dir`/pin.jsonl, geo.jsonl and user.jsonl in place of the built-in posts")
	f.StringVar(&o.out, "out", "", "write answers.json to this `dir`")
	f.IntVar(&o.portOffset, "port-offset", 0, "add this to every default port")
	f.BoolVar(&o.exit, "exit", false, "end after the answers; the exit code is 1 if the run failed")
	c.Annotations = map[string]string{annotationNoSettings: "true"}
	return c
}

// demo is one demonstration: its programs, and how long each phase took.
type demo struct {
	*app
	demoOptions
	command   *cobra.Command
	processes *processes
	phases    []phase
	source    posts.Source
}

// phase is a part of the demo with the time that it took.
type phase struct {
	name string
	took time.Duration
}

func (a *app) demo(c *cobra.Command, o demoOptions) error {
	d := &demo{app: a, demoOptions: o, command: c}
	if err := d.check(); err != nil {
		return err
	}
	var err error
	if d.processes, err = newProcesses(o.data); err != nil {
		return err
	}
	ctx, cancel := d.processes.until(c.Context())
	defer cancel()
	defer d.processes.stop()
	err = d.play(ctx)
	var lost *lostProcess
	switch {
	case errors.As(context.Cause(ctx), &lost) && lost.code == exitUsage:
		return &usageError{lost}
	case lost != nil:
		return lost
	case c.Context().Err() != nil && (err == nil || errors.Is(err, context.Cause(c.Context()))):
		a.note("stopping")
		return nil
	}
	return err
}

// check finds what is wrong with the call before anything starts.
func (d *demo) check() error {
	d.source = posts.NewGenerator()
	if d.posts != "" {
		source, err := posts.OpenJSONLines(d.posts)
		if err != nil {
			return &usageError{fmt.Errorf("--posts (POSTS=dir of make): %w", err)}
		}
		d.source = source
	}
	if d.out != "" {
		if err := os.MkdirAll(d.out, 0o755); err != nil {
			return &usageError{fmt.Errorf("--out (OUT=dir of make): %w", err)}
		}
	}
	var errs []error
	for _, part := range []struct {
		name string
		port int
	}{{"gateway", 8082}, {"worker", 9464}} {
		errs = append(errs, busyPort(part.name, "127.0.0.1:"+strconv.Itoa(part.port+d.portOffset), "--port-offset (PORT_OFFSET=n of make)"))
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	return nil
}

// play does the phases in turn.
func (d *demo) play(ctx context.Context) error {
	began := d.now()
	date := dates.Of(began)
	for _, phase := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"start the stack", d.startStack},
		{"set up, start worker and gateway", d.startPrograms},
		{"post " + d.source.Name(), d.post},
	} {
		if err := d.phase(ctx, phase.name, phase.do); err != nil {
			return err
		}
	}
	var failed error
	if err := d.phase(ctx, "run the DAG", func(ctx context.Context) error {
		var err error
		failed, err = d.runDates(ctx, date)
		return err
	}); err != nil {
		return err
	}
	if failed == nil {
		if err := d.phase(ctx, "read the answers", d.showAnswers); err != nil {
			return err
		}
	}
	d.showPhases(d.now().Sub(began))
	if d.exit {
		return failed
	}
	d.showAddresses(date)
	<-ctx.Done()
	return context.Cause(ctx)
}

// phase does one phase and keeps the time that it took.
func (d *demo) phase(ctx context.Context, name string, do func(context.Context) error) error {
	d.note("── %s", name)
	began := d.now()
	if err := do(ctx); err != nil {
		return err
	}
	d.phases = append(d.phases, phase{name, d.now().Sub(began)})
	return nil
}

// post sends the posts that are not there yet.
func (d *demo) post(ctx context.Context) error {
	count := 0
	if d.source.Posts() == 0 {
		count = dayOfPosts
	}
	bar := d.startProgress("posting", 0)
	result, err := posts.Emit(ctx, posts.EmitInput{
		Source: d.source, URL: d.settings.GatewayURL, APIKey: d.settings.APIKeys[0], Topic: d.settings.Topic,
		Posts: count, Resume: true, Checkpoints: filepath.Join(d.data, "checkpoints"),
		Log: slog.New(slog.NewTextHandler(d.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Progress: func(p posts.EmitProgress) {
			bar.total = int64(p.Total)
			bar.set(int64(p.Done), "")
		},
	})
	bar.end()
	if err != nil {
		return err
	}
	d.showEmulation(d.source, result)
	if others, _ := filepath.Glob(filepath.Join(d.data, "checkpoints", "emulate-*.json")); len(others) > 1 {
		d.say("The data directory %s holds other posts too: the answers are about all of them. For these alone, choose another with DATA=dir.", d.data)
	}
	return nil
}

// runDates runs the DAG for the date, and for the next one too if that began while the posts were sent. failed is the exit code of a run that failed.
func (d *demo) runDates(ctx context.Context, date dates.Date) (failed, err error) {
	conn, err := d.connect.temporal(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for ; date <= dates.Of(d.now()); date = date.Add(1) {
		in := run.Input{DAG: dailyName, Date: date, Trigger: run.Manual, TriggeredBy: d.operator()}
		r, err := d.startRun(ctx, conn, launch.RunOptions(in), in, true)
		if err != nil {
			return nil, err
		}
		status, err := d.watchRun(ctx, conn, r, date, d.newRunView())
		if err != nil {
			return nil, err
		}
		if err := d.drawRun(status); err != nil {
			return nil, err
		}
		if status.State == run.Failed {
			failed = errShown{exitFailed}
		}
	}
	return failed, nil
}
