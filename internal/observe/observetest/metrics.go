// Package observetest compares the metrics that a program exports with the documented ones.
package observetest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Metric is the type of a metric and its labels, sorted and separated by blanks.
type Metric struct {
	Type   string
	Labels string
}

// row matches a row of a table of metrics: the name, the type and the labels.
var row = regexp.MustCompile("^\\| `(pinflow_\\w+)` \\| (\\w+) \\|([^|]*)\\|")

// Documented returns the metrics in the tables below a heading of a document, up to the next heading
// of the same level.
func Documented(t *testing.T, file, heading string) map[string]Metric {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	_, below, found := strings.Cut(string(text), "\n## "+heading+"\n")
	require.True(t, found, "%s has no heading %q", file, heading)
	section, _, _ := strings.Cut(below, "\n## ")
	all := map[string]Metric{}
	for line := range strings.Lines(section) {
		if cells := row.FindStringSubmatch(line); cells != nil {
			labels := strings.Fields(strings.NewReplacer("`", "", ",", " ").Replace(cells[3]))
			slices.Sort(labels)
			require.NotContains(t, all, cells[1], "it is documented twice")
			all[cells[1]] = Metric{cells[2], strings.Join(labels, " ")}
		}
	}
	return all
}

var (
	typed  = regexp.MustCompile(`(?m)^# TYPE (pinflow_\w+) (\w+)$`)
	sample = regexp.MustCompile(`(?m)^(pinflow_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? `)
	label  = regexp.MustCompile(`(\w+)="`)
)

// Exported returns Pinflow's own metrics that the handler serves.
func Exported(t *testing.T, handler http.Handler) map[string]Metric {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, answer.Code)
	body := answer.Body.String()
	labels := map[string]map[string]bool{}
	for _, found := range sample.FindAllStringSubmatch(body, -1) {
		if labels[found[1]] == nil {
			labels[found[1]] = map[string]bool{}
		}
		for _, l := range label.FindAllStringSubmatch(found[2], -1) {
			if l[1] != "le" { // of a histogram's buckets
				labels[found[1]][l[1]] = true
			}
		}
	}
	all := map[string]Metric{}
	for _, found := range typed.FindAllStringSubmatch(body, -1) {
		all[found[1]] = Metric{found[2], strings.Join(slices.Sorted(maps.Keys(labels[found[1]])), " ")}
	}
	return all
}
