// Package enginetest holds the notebooks to their contract, on whatever engine runs them.
package enginetest

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/notebooks"
)

// Engine runs notebooks and statements: *engine.Engine, or Spark.
type Engine interface {
	RunNotebook(ctx context.Context, source string, params map[string]string) (*engine.Table, error)
	Query(ctx context.Context, q engine.Query) (*engine.Table, error)
}

// System is an engine, and the objects that it reads.
type System struct {
	Engine Engine
	// Rebuild is the engine of the rebuild from scratch with which a sequence is compared. It reads the
	// same objects.
	Rebuild Engine
	Objects *Objects
}

// T is a test: *testing.T or *rapid.T.
type T interface {
	require.TestingT
	Helper()
	Logf(format string, args ...any)
}

// Kinds are the kinds of records, which are the names of their silver tables, too.
var Kinds = []string{"pin", "geo", "user"}

// pipeline is a schema and a folder of landed objects, as one deployment has them.
type pipeline struct {
	System
	ctx    context.Context
	schema string
	folder string // of the landed objects
	rules  map[rules]map[string]string
}

// rules are what an edit of the notebooks changes; the zero value is what the repository has.
type rules struct {
	IndexDigits int
	Thousand    string
}

// options are the rules and parameters of a run.
type options struct {
	rules
	Invalid string // the parameter invalid_followers
}

func (o options) reference() reference.Options {
	return reference.Options{KeepInvalidFollowers: o.Invalid == "null", IndexDigits: o.IndexDigits, Thousand: o.Thousand}
}

// newPipeline creates a schema; the landed objects are those of the folder.
func newPipeline(ctx context.Context, t T, s System, schema, folder string) *pipeline {
	_, err := s.Engine.Query(ctx, engine.Query{SQL: "CREATE SCHEMA `" + schema + "`"})
	require.NoError(t, err)
	return &pipeline{System: s, ctx: ctx, schema: schema, folder: folder, rules: map[rules]map[string]string{}}
}

// land writes the records of a date like landing: an object for each topic and partition, named
// after its first offset, and the empty objects of the topics that have none.
func (p *pipeline) land(date string, records []reference.Record) {
	for _, kind := range Kinds {
		p.Objects.Append(p.key(kind, date, 0, "empty"), nil)
	}
	start := map[string]int64{}
	for _, r := range records {
		place := fmt.Sprint(r.Kind, r.Partition)
		if first, ok := start[place]; !ok || r.Offset < first {
			start[place] = r.Offset
		}
	}
	for _, r := range records {
		line := reference.Line(r)
		key := p.key(r.Kind, date, r.Partition, fmt.Sprintf("%010d", start[fmt.Sprint(r.Kind, r.Partition)]))
		p.Objects.Append(key, append(line, '\n'))
	}
}

func (p *pipeline) key(kind, date string, partition int, name string) string {
	topic := reference.Topics.Name(kind)
	return root + path.Join("/", p.folder, "topics", topic, "dt="+date, fmt.Sprintf("partition=%d", partition), fmt.Sprintf("%s+%d+%s.json", topic, partition, name))
}

// run runs a notebook for a group of dates. If statements is not negative, it is killed after so
// many of them.
func (p *pipeline) run(notebook string, dates []string, o options, statements int) error {
	source := p.source(o.rules, notebook)
	if statements >= 0 {
		source = first(source, statements)
	}
	_, err := p.Engine.RunNotebook(p.ctx, source, map[string]string{
		"schema": p.schema, "raw_path": root + "/" + p.folder, "user_id": reference.UserID, "posts_topic": run.PostsTopic, "invalid_followers": o.Invalid,
		"logical_dates": strings.Join(dates, ","), "run_id": "r", "notebook_hash": "h",
	})
	return err
}

// source returns a notebook with its rules.
func (p *pipeline) source(r rules, notebook string) string {
	if p.rules[r] == nil {
		p.rules[r] = map[string]string{}
		for _, n := range notebooks.All() {
			p.rules[r][n.Name] = edited(n, r)
		}
	}
	return p.rules[r][notebook]
}

// edited returns a notebook as a user would edit it.
func edited(n notebooks.Notebook, r rules) string {
	replace := func(source, from, to string) string {
		if !strings.Contains(source, from) {
			panic(fmt.Sprintf("notebook %s has no rule %s to edit", n.Name, from))
		}
		return strings.ReplaceAll(source, from, to)
	}
	source := n.Source
	if r.IndexDigits > 0 && strings.HasPrefix(n.Name, "clean_") {
		source = replace(source, "'^[0-9]{1,18}", fmt.Sprintf("'^[0-9]{1,%d}", r.IndexDigits))
	}
	if r.Thousand != "" && n.Name == "clean_pin" {
		source = replace(source, "'k', '000'", "'k', '"+r.Thousand+"'")
	}
	return source
}

// first returns the start of a notebook, up to its nth statement.
func first(source string, n int) string {
	var kept []string
	for _, line := range strings.SplitAfter(source, "\n") {
		code := strings.TrimSpace(line)
		isCode := !strings.HasPrefix(code, "--")
		if isCode && n == 0 {
			return strings.Join(kept, "")
		}
		kept = append(kept, line)
		if isCode && strings.HasSuffix(code, ";") {
			n--
		}
	}
	return source
}
