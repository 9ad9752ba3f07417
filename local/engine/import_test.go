package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/starter/imports"
)

// oldBucket is the bucket of another pipeline, an object for each record, all of the same second.
type oldBucket map[string][]byte

var written = time.Date(2022, 10, 18, 9, 0, 0, 0, time.UTC)

func (o oldBucket) URI(key string) string { return "s3://old/" + key }

func (o oldBucket) List(_ context.Context, prefix string, page func([]s3.SourceObject) error) error {
	var all []s3.SourceObject
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if strings.HasPrefix(key, prefix) {
			all = append(all, s3.SourceObject{Key: key, Size: int64(len(o[key])), Modified: written})
		}
	}
	return page(all)
}

func (o oldBucket) Open(_ context.Context, object s3.SourceObject) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(o[object.Key])), nil
}

// TestImport holds that imported records are cleaned as landed ones are: of two pipelines whose
// records share times and places, the file decides.
func TestImport(t *testing.T) {
	t.Parallel()
	old := oldBucket{}
	var records []reference.Record
	others := strings.NewReplacer(`"12k"`, `"7k"`, `"art"`, `"travel"`, `"Albania"`, `"Chad"`, `"Ann"`, `"Eve"`)
	for _, user := range []string{"a", "b"} {
		for kind, lines := range reference.Generate(1, 150) {
			for i, line := range lines {
				if user == "b" {
					line = others.Replace(line)
				}
				topic, partition, offset := user+"."+kind, i%2, int64(i)
				if strings.ContainsAny(line, "\r\n") || line == "" {
					continue
				}
				old[fmt.Sprintf("topics/%s/partition=%d/%s+%d+%010d.json", topic, partition, topic, partition, offset)] = []byte(line + "\n")
				records = append(records, reference.Record{
					Kind: kind, Date: "2022-10-18", Partition: partition, Offset: offset, Timestamp: written.UnixMilli(), Value: []byte(line), File: topic,
				})
			}
		}
	}
	landed := buckettest.New()
	topics, err := imports.ParseTopics(reference.Topics, nil)
	require.NoError(t, err)
	result, err := (&imports.Import{Source: old, Objects: landed, Topics: topics, Progress: func(int, int) {}}).Run(t.Context())
	require.NoError(t, err)
	require.Len(t, old, int(result.Records))

	objects := store{}
	objects.land(t, []reference.Record{{Kind: "pin", Date: "2022-10-18", Value: []byte("{}")}}, "0000000000")
	records = append(records, reference.Record{Kind: "pin", Date: "2022-10-18", Value: []byte("{}")})
	for _, key := range landed.Keys("topics/") {
		objects["s3://b/"+key] = landed.Body(key)
	}
	// The order of the files is that of the old topics: a plan is sorted by them.
	names := slices.DeleteFunc(landed.Keys("topics/u1.pin/"), func(key string) bool { return !strings.Contains(path.Base(key), "import-") })
	require.True(t, slices.IsSorted(names))
	e := open(t, objects)
	runDate(t.Context(), t, e, "2022-10-18", "quarantine")
	requireSame(t, reference.Answers(records, reference.Options{}), read(t.Context(), t, e))
}
