package e2e

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/objectstore"
	"github.com/pinflow/pinflow/local/reference"
)

// settle brings everything back and runs what has not succeeded.
func (c *chaos) settle() {
	for _, p := range []*process{c.worker, c.second, c.gate, c.stack} {
		require.False(c.t, p.ended(), "%s gave up\n%s", p.name, tail(p.output.String()))
	}
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(2 * time.Second) {
		said, err := c.command(c.t.Context(), "backfill", "--from", string(c.first), "--to", string(c.first.Add(chaosDates-1)), "--parallel", "8", "--reprocess", "failed", "--wait")
		if err == nil {
			if said, err = c.command(c.t.Context(), "run", today(), "--wait"); err == nil {
				return
			}
		}
		require.True(c.t, time.Now().Before(deadline), "the dates do not get done: %v\n%s", err, said)
	}
}

// requireExactlyOnce checks that everything that was acknowledged is in S3 once.
func (c *chaos) requireExactlyOnce() {
	report := c.direct.verified(0, "verify", "--all")
	require.True(c.t, report.Proven, "%+v\n%+v", report.Problems, report.Unchecked)
	landed := map[string]int{}
	for _, record := range c.landed() {
		landed[place(c.topic(record.Kind), record.Partition, record.Offset)]++
	}
	for at, times := range landed {
		require.Equal(c.t, 1, times, at)
	}
	for at := range c.acked {
		require.Equal(c.t, 1, landed[at], "acknowledged, and not in S3: %s", at)
		require.Equal(c.t, 1, c.acked[at], "two records were acknowledged with one offset: %s", at)
	}
	c.t.Logf("%d records in S3, each once, %d of them acknowledged in %d requests to the gateway; the others were appended by requests without an answer", len(landed), len(c.acked), c.posts)
	said := strings.Split(strings.TrimSpace(c.direct.must("verify", "--all")), "\n")
	c.t.Log(said[len(said)-1])
}

// landed reads all landed records from the manifests and objects.
func (c *chaos) landed() (all []reference.Record) {
	objects, err := objectstore.NewS3(objectstore.S3Options{
		Endpoint: c.direct.setting("AWS_ENDPOINT_URL_S3"), Region: c.direct.setting("AWS_REGION"),
		AccessKey: c.direct.setting("AWS_ACCESS_KEY_ID"), SecretKey: c.direct.setting("AWS_SECRET_ACCESS_KEY"),
	})
	require.NoError(c.t, err)
	found, err := objects.List(c.t.Context(), "s3://"+c.direct.setting("PINFLOW_BUCKET")+"/"+c.deployment().Folder()+"topics/")
	require.NoError(c.t, err)
	for _, object := range found {
		parts := strings.Split(object.URI, "/") // …/<topic>/dt=<date>/partition=<p>/<name>
		topic, date := parts[len(parts)-4], strings.TrimPrefix(parts[len(parts)-3], "dt=")
		kind := topic[strings.LastIndexByte(topic, '.')+1:]
		if !slices.Contains(kinds, kind) {
			continue // that of posts is empty
		}
		content, err := objects.Open(c.t.Context(), object.URI)
		require.NoError(c.t, err)
		body, err := io.ReadAll(content)
		content.Close()
		require.NoError(c.t, err)
		for line := range strings.Lines(string(body)) {
			var record struct {
				Partition         int
				Offset, Timestamp int64
				Value, Text       *string
			}
			require.NoError(c.t, json.Unmarshal([]byte(line), &record))
			one := reference.Record{Kind: kind, Date: date, Partition: record.Partition, Offset: record.Offset, Timestamp: record.Timestamp}
			if text := cmp.Or(record.Value, record.Text); text != nil {
				one.Value = []byte(*text)
			}
			all = append(all, one)
		}
	}
	return all
}

// requireAnswersOfTheLanded compares the answers with those of the reference over the same records,
// which are those of a calm run.
func (c *chaos) requireAnswersOfTheLanded() {
	byDate := map[string][]reference.Record{}
	for _, record := range c.landed() {
		byDate[record.Date] = append(byDate[record.Date], record)
	}
	var batches []reference.Batch
	for _, date := range slices.Sorted(maps.Keys(byDate)) {
		batches = append(batches, reference.Batch{Records: byDate[date]})
	}
	requireAnswers(c.t, reference.Build(batches...).Expected, c.direct.exportAnswers())
}

// requireOneRunATry checks that each token, which names one try, has one Databricks run, and that
// there are no others.
func (c *chaos) requireOneRunATry() {
	client, err := databricks.NewWorkspaceClient(&databricks.Config{Host: c.direct.setting("DATABRICKS_HOST"), Token: c.direct.setting("DATABRICKS_TOKEN")})
	require.NoError(c.t, err)
	all, err := client.Jobs.ListRunsAll(c.t.Context(), jobs.ListRunsRequest{})
	require.NoError(c.t, err)
	byToken := map[int64]string{}
	for token, runs := range c.submits.runs {
		require.NotEmpty(c.t, token, "a run was submitted without a token")
		require.Len(c.t, runs, 1, "the try with token %s had several runs", token)
		for id := range runs {
			require.Empty(c.t, byToken[id], "two tries share run %d", id)
			byToken[id] = token
		}
	}
	unknown := 0
	for _, run := range all {
		if byToken[run.RunId] == "" {
			unknown++
		}
	}
	c.t.Logf("%d tries had one Databricks run each; the workspace has %d runs, %d of them of submits during which the stack was killed", len(byToken), len(all), unknown)
	require.LessOrEqual(c.t, unknown, c.faults.counts["kill -9 of the stack"], "runs that nobody asked for")
}
