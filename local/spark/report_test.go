//go:build conformance

package spark_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/spark"
	"github.com/pinflow/pinflow/notebooks"
)

var update = flag.Bool("update", false, "write the tables of docs/conformance.md")

const (
	document = "../../docs/conformance.md"
	begin    = "<!-- written by make conformance-sql UPDATE=1 -->\n"
	end      = "<!-- end -->"
)

// report is what the run writes into docs/conformance.md.
type report struct {
	mu    sync.Mutex
	names []string
	lines map[string]string
}

// expect reserves the next lines of the table; runs end in any order.
func (r *report) expect(names ...string) { r.names = append(r.names, names...) }

// add adds what a run gave.
func (r *report) add(name string, records int, rows map[string][]string) {
	counts := map[string]int{}
	for table, of := range rows {
		switch {
		case table == "raw":
		case strings.HasSuffix(table, "_quarantine"):
			counts["quarantine"] += len(of)
		case slices.Contains(notebooks.Answers, table):
			counts["gold"] += len(of)
		default:
			counts["silver"] += len(of)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == nil {
		r.lines = map[string]string{}
	}
	r.lines[name] = fmt.Sprintf("| %s | %d | %d | %d | %d | equal |\n", name, records, counts["silver"], counts["quarantine"], counts["gold"])
	fmt.Print(r.lines[name])
}

// check compares the document with what the run has seen, or writes it.
func (r *report) check(t *testing.T) {
	content, err := os.ReadFile(document)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(content), begin)
	require.True(t, found)
	written, after, found := strings.Cut(rest, end)
	require.True(t, found)
	switch {
	case *update:
		require.NotNil(t, realRecords(t), "the table has lines for the real records: write it where they are")
		require.NoError(t, os.WriteFile(document, []byte(before+begin+r.text()+end+after), 0o644))
	case realRecords(t) != nil:
		require.Equal(t, r.text(), written, "make conformance-sql UPDATE=1 writes %s", document)
	default:
		for name, line := range r.lines {
			require.Contains(t, written, line, "make conformance-sql UPDATE=1 writes %s: %s", document, name)
		}
	}
}

// text returns the tables of the document.
func (r *report) text() string {
	var b strings.Builder
	b.WriteString("| records of | records | silver rows | quarantined | rows of answers | workspace and Spark |\n|---|---|---|---|---|---|\n")
	for _, name := range r.names {
		b.WriteString(r.lines[name])
	}
	b.WriteString("\n| in the notebooks | on open-source Spark |\n|---|---|\n")
	for _, rule := range engine.SparkRules {
		fmt.Fprintf(&b, "| `%s` | %s |\n", rule[0], rule[1])
	}
	b.WriteString("\n| setting of Spark's sessions | what it saves |\n|---|---|\n")
	for _, s := range spark.SmallTables {
		fmt.Fprintf(&b, "| `%s=%s` | %s |\n", s.Name, s.Value, s.Why)
	}
	return b.String()
}
