package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/imports"
)

// oldBucket is the bucket of another pipeline, whose objects have the time of a date.
type oldBucket map[string]string

func (o oldBucket) URI(key string) string { return "s3://old/" + key }

func (o oldBucket) List(_ context.Context, prefix string, page func([]s3.SourceObject) error) error {
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if strings.HasPrefix(key, prefix) {
			if err := page([]s3.SourceObject{{Key: key, Size: int64(len(o[key])), Modified: dates.Date("2022-10-17").Start(), ETag: "e"}}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o oldBucket) Open(_ context.Context, object s3.SourceObject) (io.ReadCloser, error) {
	if o[object.Key] == "gone" {
		return nil, s3.ErrChanged
	}
	return io.NopCloser(bytes.NewReader([]byte(o[object.Key]))), nil
}

func TestImport(t *testing.T) {
	old := func() oldBucket {
		return oldBucket{
			"topics/0a1b.pin/partition=0/0a1b.pin+0+0000000000.json": "{}\n{}\n", "topics/0a1b.pin/partition=2/0a1b.pin+2+0000000000.json": "{}",
			"topics/0a1b.geo/partition=0/0a1b.geo+0+0000000000.json": "{}", "events/event-1.json": "{}", "events/readme.txt": "x",
		}
	}

	t.Run("shows_a_plan_then_what_was_imported", func(t *testing.T) {
		w := newWorld()
		w.old = old()
		code, stdout, stderr := w.line(t, "import --raw s3://old --topic 0a1b.pin --topic events=pin --skip-others --dry-run")
		require.Zero(t, code, stderr)
		golden(t, "import-plan", stdout)
		require.Empty(t, w.bucket.Keys(""))
		code, stdout, stderr = w.line(t, "import --raw s3://old --topic 0a1b.pin --topic events=pin --skip-others")
		require.Zero(t, code, stderr)
		golden(t, "import", stdout)
		code, stdout, _ = w.line(t, "import --raw s3://old --topic 0a1b.pin --topic events=pin --skip-others")
		require.Zero(t, code)
		require.Contains(t, stdout, "Nothing was left to import from s3://old/.")
	})

	t.Run("is_also_for_programs", func(t *testing.T) {
		w := newWorld()
		w.old = old()
		code, stdout, stderr := w.line(t, "import --raw s3://old --skip-others --as-date 2022-01-02 -o json")
		require.Zero(t, code, stderr)
		var result imports.Result
		require.NoError(t, json.Unmarshal([]byte(stdout), &result))
		require.EqualValues(t, 5, result.Records)
		require.Equal(t, []dates.Date{"2022-01-02"}, result.Dates)
	})

	t.Run("says_what_is_wrong", func(t *testing.T) {
		for line, want := range map[string]string{
			"import":                                                   "raw",
			"import --raw old":                                         `--raw: "old" is no address of a bucket: want s3://bucket`,
			"import --raw s3://pinflow/pinflow":                        "that is what this deployment itself has landed",
			"import --raw s3://old --topic x=y":                        "--topic x=y: want a topic of the bucket",
			"import --raw s3://old --as-date x":                        "--as-date",
			"import --raw s3://old":                                    "objects that the old pipeline does not write (1), such as events/readme.txt",
			"import --raw s3://old --topic nope":                       "--topic nope",
			"import --raw s3://old --as-date 2999-01-01 --skip-others": "is in the future",
		} {
			w := newWorld()
			w.old = old()
			code, _, stderr := w.line(t, line)
			require.Equal(t, exit.Usage, code, line)
			require.Contains(t, stderr, want, line)
			require.Empty(t, w.bucket.Keys(""), line)
		}
		w := newWorld()
		w.old, w.down["source"] = old(), &fault.Error{Kind: fault.Unauthenticated, What: "S3 rejected the credentials", Next: "check them", Err: errors.New("403")}
		code, _, stderr := w.line(t, "import --raw s3://old")
		require.Equal(t, exit.Unreachable, code, stderr)
		w = newWorld()
		w.old = oldBucket{"events/event-1.json": "gone"}
		code, stdout, stderr := w.line(t, "import --raw s3://old")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "0 records")
		require.Contains(t, stderr, "since they were listed, 1 object changed or went, as events/event-1.json")
	})
}
