package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/spark"
	"github.com/pinflow/pinflow/notebooks"
)

// childVariable names the variable of the environment that makes this program the process of an
// engine; its value is the job.
const childVariable = "PINFLOW_BENCH_SQL"

// job is what a process measures.
type job struct {
	Engine  string
	Posts   int
	Objects string // directory of the landed day
	Memory  string
	Threads int
	Spark   string
	Dir     string // of tables
}

// measured is what a step took.
type measured struct {
	Engine string
	Posts  int
	Step   string
	Wall   time.Duration
	CPU    time.Duration
	Peak   int64 // resident memory in bytes, of all processes of the engine together
}

// measureApart measures in a process of its own, so that neither memory nor caches of another engine
// count.
func measureApart(ctx context.Context, j job) (found []measured, err error) {
	if j.Dir, err = os.MkdirTemp("", "pinflow-bench-engine-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(j.Dir)) }()
	argument, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"="+string(argument))
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(output); ; {
		var m measured
		if err := decoder.Decode(&m); err != nil {
			break // the process has ended
		}
		found = append(found, m)
		fmt.Fprintf(os.Stderr, "%8d %-6s %-16s %6.1f s %6.1f CPU s %5d MB\n", m.Posts, m.Engine, m.Step, m.Wall.Seconds(), m.CPU.Seconds(), m.Peak/1_000_000)
	}
	return found, cmd.Wait()
}

// measureHere does the job and writes what it measures, a JSON object for each step.
func measureHere(ctx context.Context, argument string, out io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(argument), &j); err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	step := func(name string, do func() error) error {
		before, start := startUsage(), time.Now()
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		wall := time.Since(start)
		cpu, peak := before.end()
		return encoder.Encode(measured{j.Engine, j.Posts, name, wall, cpu, peak})
	}
	switch j.Engine {
	case "bare":
		return bare(ctx, j, step)
	case "spark":
		return onSpark(ctx, j, step)
	}
	e, err := engine.Open(ctx, engine.Options{
		Path: filepath.Join(j.Dir, "warehouse.duckdb"), Objects: objects{j.Objects}, MemoryLimit: j.Memory, Threads: j.Threads,
	})
	if err != nil {
		return err
	}
	return errors.Join(pipeline(ctx, e, "pins", step), e.Close())
}

// sparkMemory is the heap of Spark: with less, the day of a million posts spends its time in the
// garbage collector.
const sparkMemory = "4g"

// onSpark measures Spark in a warm session: it has run all notebooks twice on a small day.
func onSpark(ctx context.Context, j job, step func(string, func() error) error) error {
	log, err := os.Create(filepath.Join(j.Dir, "spark.log"))
	if err != nil {
		return err
	}
	small, err := land(j.Dir, 20_000, true)
	if err != nil {
		return err
	}
	current := &objects{small}
	e, err := spark.Open(ctx, spark.Options{
		Home: j.Spark, Dir: j.Dir, Objects: current, Memory: sparkMemory, Java: "-XX:+UseParallelGC", Threads: j.Threads, Log: log,
	})
	if err != nil {
		return errors.Join(err, log.Close())
	}
	unmeasured := func(_ string, do func() error) error { return do() }
	for _, schema := range []string{"warm1", "warm2"} {
		err = errors.Join(err, pipeline(ctx, e, schema, unmeasured))
	}
	current.root = j.Objects
	if err == nil {
		err = pipeline(ctx, e, "pins", step)
	}
	return errors.Join(err, e.Close(), log.Close())
}

// notebookRunner is an engine.
type notebookRunner interface {
	RunNotebook(ctx context.Context, source string, params map[string]string) (*engine.Table, error)
	Query(ctx context.Context, q engine.Query) (*engine.Table, error)
}

// pipeline runs the notebooks of the daily DAG one after the other, then load once more, which finds
// nothing new.
func pipeline(ctx context.Context, e notebookRunner, schema string, step func(string, func() error) error) error {
	if _, err := e.Query(ctx, engine.Query{SQL: "CREATE SCHEMA `" + schema + "`"}); err != nil {
		return err
	}
	sources := map[string]string{}
	for _, n := range notebooks.All() {
		sources[n.Name] = n.Source
	}
	for _, name := range []string{"load", "clean_pin", "clean_geo", "clean_user", "query", again} {
		source := sources[strings.TrimSuffix(name, ", nothing new")]
		err := step(name, func() error {
			_, err := e.RunNotebook(ctx, source, map[string]string{
				"schema": schema, "raw_path": strings.TrimSuffix(bucket, "/"), "user_id": user, "posts_topic": "Pinterest_data", "invalid_followers": "quarantine",
				"logical_dates": date, "run_id": "r", "notebook_hash": "h",
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// again is the second run of load.
const again = "load, nothing new"
