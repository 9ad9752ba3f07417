// Package demo runs the main job on an embedded stack that it starts itself: post, run a DAG, show
// the answers.
package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/posts"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/systems"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view"
)

// Posts is how many generated posts make a day.
const Posts = 5_000

// Options configure the demo.
type Options struct {
	// DAG is the DAG that runs, Catalog the DAGs that are set up.
	DAG     dag.Definition
	Catalog dag.Catalog
	// Data is the directory of the state, PostsDir that of posts in place of the generated ones,
	// and Out that of answers.json; the last two may be empty.
	Data, PostsDir, Out string
	// PortOffset is added to each default port.
	PortOffset int
	// Exit ends the demo after the answers.
	Exit bool
}

// demo is one demonstration.
type demo struct {
	*term.Term
	Options
	systems   systems.Systems
	operator  func() string
	processes *processes
	phases    []phase
	restarts  restarts
	source    posts.Source
	posted    int

	// The following need the settings of the running stack.
	settings config.Config
	control  *control.Controller
	view     *view.View
}

// phase is a part of the demo and how long it took.
type phase struct {
	name string
	took time.Duration
}

// Run runs the demo. It returns when the context ends, or after the answers if the options say so.
// The error of a failed run is an exit.Shown.
func Run(ctx context.Context, t *term.Term, s systems.Systems, operator func() string, o Options) error {
	data, err := filepath.Abs(o.Data)
	if err != nil {
		return err
	}
	o.Data = data
	d := &demo{Term: t, Options: o, systems: s, operator: operator}
	if err := d.check(); err != nil {
		return err
	}
	if d.processes, err = newProcesses(o.Data, d.reportRestart); err != nil {
		return err
	}
	playing, cancel := d.processes.until(ctx)
	defer cancel()
	defer d.processes.stop()
	err = d.play(playing)
	var lost *lostProcess
	switch {
	case errors.As(context.Cause(playing), &lost) && lost.code == exit.Usage:
		return &exit.UsageError{Err: lost}
	case lost != nil:
		return lost
	case ctx.Err() != nil && (err == nil || errors.Is(err, context.Cause(ctx))):
		d.Log("stopping")
		return nil
	}
	return err
}

// play runs the phases in turn.
func (d *demo) play(ctx context.Context) error {
	began := d.Now()
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
	d.showPhases(d.Now().Sub(began))
	if d.Exit {
		return failed
	}
	d.showAddresses(date)
	<-ctx.Done()
	return context.Cause(ctx)
}

// phase runs one phase and measures it.
func (d *demo) phase(ctx context.Context, name string, do func(context.Context) error) error {
	d.Log("── %s", name)
	began := d.Now()
	if err := do(ctx); err != nil {
		return err
	}
	d.phases = append(d.phases, phase{name, d.Now().Sub(began)})
	return nil
}

// post posts what is not posted yet.
func (d *demo) post(ctx context.Context) error {
	count := 0
	if d.source.Posts() == 0 {
		count = Posts
	}
	checkpoints := filepath.Join(d.Data, "checkpoints")
	report, end := d.view.Posting()
	result, err := posts.Emit(ctx, posts.EmitInput{
		Source: d.source, URL: d.settings.GatewayURL, APIKey: d.settings.APIKey(), Topic: d.settings.Topic,
		Posts: count, Resume: true, Checkpoints: checkpoints, Progress: report,
	})
	end()
	if err != nil {
		return err
	}
	d.posted = result.Posts
	d.view.Emulation(d.source, result)
	if others, _ := filepath.Glob(filepath.Join(checkpoints, "emulate-*.json")); len(others) > 1 {
		d.Say("The data directory %s has other posts, too: the answers are about all of them. For these alone, use another with DATA=dir.", d.Data)
	}
	return nil
}

// runDates runs the DAG for the date, and for the next one too if that began while the posts were
// sent. failed is the exit code of a run that failed.
func (d *demo) runDates(ctx context.Context, date dates.Date) (failed, err error) {
	conn, err := d.systems.Temporal(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for ; date <= dates.Of(d.Now()); date = date.Add(1) {
		in := run.Input{DAG: d.DAG.Name, Date: date, Trigger: run.Manual, TriggeredBy: d.operator()}
		started, err := d.control.StartRun(ctx, conn, launch.RunOptions(d.settings.Deployment, in), in, true)
		if err != nil {
			return nil, err
		}
		status, err := d.control.Watch(ctx, conn, started, date, d.view.Watcher())
		if err != nil {
			return nil, err
		}
		d.drawRun(status)
		if status.State.Bad() {
			failed = exit.Shown(exit.Failed)
		}
	}
	return failed, nil
}

// reader returns a reader of a DAG on the running stack.
func (d *demo) reader(definition dag.Definition) *history.Reader {
	return &history.Reader{Systems: d.systems, Settings: d.settings, DAG: definition, Catalog: d.Catalog, Now: d.Now, After: d.After}
}

func (d *demo) controller(definition dag.Definition) *control.Controller {
	return &control.Controller{Reader: d.reader(definition), Operator: d.operator, Log: d.Log}
}

// check finds mistakes in the options before anything starts.
func (d *demo) check() error {
	d.source = posts.NewGenerator()
	if d.PostsDir != "" {
		source, err := posts.OpenJSONLines(d.PostsDir)
		if err != nil {
			return exit.Usagef("--posts (POSTS=dir of make): %w", err)
		}
		d.source = source
	}
	if err := config.CheckPortOffset(d.PortOffset); err != nil {
		return exit.Usagef("--port-offset (PORT_OFFSET=n of make) %w", err)
	}
	if err := d.makeOut(); err != nil {
		return fmt.Errorf("--out (OUT=dir of make): %w", err)
	}
	return errors.Join(
		d.freePort("gateway", config.GatewayPort),
		d.freePort("worker", config.WorkerPort),
	)
}
