package observe

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

// FuzzMetrics checks that Prometheus can read what the worker exposes, whatever the names of DAGs,
// tasks, pools and states are, and finds the names again.
func FuzzMetrics(f *testing.F) {
	f.Add("pinterest-daily", "load", "load", "success", int64(5), int64(1))
	f.Fuzz(func(t *testing.T, dag, task, pool, state string, records, quarantined int64) {
		metrics, err := NewMetrics()
		require.NoError(t, err)
		defer func() { require.NoError(t, metrics.Close(t.Context())) }()
		runs, err := metrics.Runs()
		require.NoError(t, err)
		dates, err := metrics.Dates()
		require.NoError(t, err)
		begun := time.UnixMilli(1666051200123)
		runs.Ended(t.Context(), run.Status{
			DAG: dag, State: run.State(state), Trigger: run.Trigger(pool), Started: begun, Ended: begun.Add(time.Duration(records)),
			Tasks: []run.Task{{
				ID: task, Pool: pool, State: run.Success, Started: begun, Ended: begun.Add(time.Second),
				Outcome: run.Outcome{Counted: true, Records: records, Quarantined: quarantined},
				History: []run.Try{{Queued: begun, Granted: begun.Add(time.Second), Started: begun}},
			}},
		})
		dates.Open(t.Context(), dag, map[run.State]int{run.State(state): 1})
		dates.Checked(t.Context(), dag, 1, begun)

		for _, accept := range []string{"", "text/plain;version=1.0.0;escaping=allow-utf-8"} {
			request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			request.Header.Set("Accept", accept)
			answer := httptest.NewRecorder()
			metrics.Handler().ServeHTTP(answer, request)
			require.Equal(t, http.StatusOK, answer.Code, answer.Body.String())
			parser := expfmt.NewTextParser(model.UTF8Validation)
			families, err := parser.TextToMetricFamilies(answer.Body)
			require.NoError(t, err)
			open := families["pinflow_open_runs"]
			require.NotNil(t, open)
			require.Len(t, open.Metric, 1)
			labels := map[string]string{}
			for _, label := range open.Metric[0].Label {
				labels[label.GetName()] = label.GetValue()
			}
			require.Equal(t, map[string]string{"dag": text(dag), "state": text(state)}, labels)
		}
	})
}

// text returns a label as Prometheus has it: UTF-8.
func text(label string) string { return strings.ToValidUTF8(label, "\ufffd") }
