// Package bench measures the orchestrator on the embedded Temporal, with real processes: latency,
// throughput, memory, events and actions. Its benchmarks print one table; docs/benchmarks.md says
// what each number is.
package bench

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// workerAddress names the variable of the environment that makes this program the worker of a
// benchmark, on the Temporal at that address.
const workerAddress = "PINFLOW_BENCH_WORKER"

// bin holds the programs that TestMain builds, as `make build` does.
var bin string

func TestMain(m *testing.M) {
	if address := os.Getenv(workerAddress); address != "" {
		os.Exit(work(address))
	}
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" { // `go test ./...` builds this package, but measures nothing
		os.Exit(m.Run())
	}
	code, err := measure(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// measure builds the programs, runs the benchmarks, and prints what they found: to standard output,
// and to the file that BENCH_OUT names.
func measure(m *testing.M) (int, error) {
	var err error
	if bin, err = os.MkdirTemp("", "pinflow-bench-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(bin) }() // a directory for temporary files
	for _, build := range []struct{ dir, program, pkg string }{{"../..", "workers", "./workers"}, {"..", "local", "."}} {
		cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", filepath.Join(bin, build.program), build.pkg)
		cmd.Dir = build.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("build %s: %w\n%s", build.program, err, out)
		}
	}
	code := m.Run()
	text := results.String()
	fmt.Print("\n", text)
	if file := os.Getenv("BENCH_OUT"); file != "" {
		return code, os.WriteFile(file, []byte(text), 0o644)
	}
	return code, nil
}

// results collects what the benchmarks found.
var results table

// table is a Markdown table of measurements, and the text below it.
type table struct {
	rows  [][3]string
	below [][2]string // title and text
}

// add adds a measurement, or takes the place of an earlier one: a benchmark may be repeated. target
// is empty where none is set.
func (t *table) add(target, what, format string, args ...any) {
	row := [3]string{what, fmt.Sprintf(format, args...), target}
	if i := slices.IndexFunc(t.rows, func(r [3]string) bool { return r[0] == what }); i >= 0 {
		t.rows[i] = row
		return
	}
	t.rows = append(t.rows, row)
}

// explain adds a text below the table, or takes the place of an earlier one.
func (t *table) explain(title, text string) {
	if i := slices.IndexFunc(t.below, func(b [2]string) bool { return b[0] == title }); i >= 0 {
		t.below[i][1] = text
		return
	}
	t.below = append(t.below, [2]string{title, text})
}

func (t *table) String() string {
	text := markdown([3]string{"what", "measured", "target"}, t.rows)
	for _, b := range t.below {
		text += "\n" + b[0] + ":\n\n" + b[1]
	}
	return text
}

// markdown sets rows as a table whose columns line up.
func markdown(head [3]string, rows [][3]string) string {
	all := append([][3]string{head, {}}, rows...)
	var width [3]int
	for _, row := range all {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for i := range width {
		all[1][i] = strings.Repeat("-", width[i])
	}
	var b strings.Builder
	for _, row := range all {
		for i, cell := range row {
			b.WriteString("| " + cell + strings.Repeat(" ", width[i]-len([]rune(cell))) + " ")
		}
		b.WriteString("|\n")
	}
	return b.String()
}
