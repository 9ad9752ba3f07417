package imports

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
)

// old is the bucket of the old pipeline, in memory.
type old struct {
	mu      sync.Mutex
	content map[string][]byte
	times   map[string]time.Time
	fault   func(key string) error // of reading an object; nil is none
}

func newOld() *old { return &old{content: map[string][]byte{}, times: map[string]time.Time{}} }

// monday is when objects without a time of their own were written.
var monday = time.Date(2022, 10, 17, 12, 0, 0, 0, time.UTC)

func (o *old) put(key, content string) { o.putAt(key, content, monday) }

func (o *old) putAt(key, content string, at time.Time) {
	o.content[key], o.times[key] = []byte(content), at
}

func (o *old) URI(key string) string { return "s3://old/" + key }

func (o *old) object(key string) s3.SourceObject {
	return s3.SourceObject{Key: key, Size: int64(len(o.content[key])), Modified: o.times[key], ETag: fmt.Sprintf("%x", len(o.content[key])) + string(o.content[key])}
}

func (o *old) List(_ context.Context, prefix string, page func([]s3.SourceObject) error) error {
	o.mu.Lock()
	var all []s3.SourceObject
	for _, key := range slices.Sorted(maps.Keys(o.content)) {
		if strings.HasPrefix(key, prefix) {
			all = append(all, o.object(key))
		}
	}
	o.mu.Unlock()
	for some := range slices.Chunk(all, 3) {
		if err := page(some); err != nil {
			return err
		}
	}
	return nil
}

func (o *old) Open(_ context.Context, object s3.SourceObject) (io.ReadCloser, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fault != nil {
		if err := o.fault(object.Key); err != nil {
			return nil, err
		}
	}
	if o.content[object.Key] == nil || o.object(object.Key).ETag != object.ETag {
		return nil, s3.ErrChanged
	}
	return io.NopCloser(bytes.NewReader(o.content[object.Key])), nil
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // a buffer takes all
	_ = w.Close()
	return b.String()
}

// importing returns an import of the old bucket into objects.
func importing(t require.TestingT, from *old, objects bucket.Objects, topics ...string) *Import {
	parsed, err := ParseTopics(run.Topics{UserID: "u"}, topics)
	require.NoError(t, err)
	return &Import{Source: from, Objects: objects, Topics: parsed, Progress: func(int, int) {}}
}

// line is an imported line.
type line struct {
	Topic             string
	Partition         int
	Offset, Timestamp int64
	Value, Text       string
}

// lines returns the imported lines by the name of their object.
func lines(t require.TestingT, objects *buckettest.Memory) map[string][]line {
	all := map[string][]line{}
	for _, key := range objects.Keys("topics/") {
		body, err := objects.Get(context.Background(), key)
		require.NoError(t, err)
		all[key] = []line{}
		for text := range strings.Lines(string(body)) {
			var l line
			require.NoError(t, json.Unmarshal([]byte(text), &l), text)
			all[key] = append(all[key], l)
		}
	}
	return all
}

func TestImport(t *testing.T) {
	t.Run("takes_every_layout", func(t *testing.T) {
		from, objects := newOld(), buckettest.New()
		from.put("topics/0a1b.pin/partition=0/0a1b.pin+0+0000000000.json", `{"index":1}`+"\n")
		from.put("topics/0a1b.pin/partition=0/0a1b.pin+0+0000000001.json", "{\"index\":2}\r\n\n[{\"index\":3}]\nnot json")
		from.put("topics/0a1b.pin/partition=1/0a1b.pin+1+0000000007.json.gz", gzipped(`{"index":4}`))
		from.put("topics/0a1b.geo/year=2022/month=10/0a1b.geo+0+0000000005.json", gzipped(`{"ind":1}`)) // Content-Encoding: gzip
		from.put("topics/0a1b.geo/", "")
		from.put("topics/0a1b.user/partition=0/0a1b.user+0+0000000000.json", "")
		from.put("events/event-fbe53c66.json", "{\n    \"index\": 9,\n    \"ind\": 9\n}")
		from.putAt("events/event-aaaa.json", `{"index":8}`, monday.Add(24*time.Hour))
		from.put("elsewhere/x.json", "{}")
		result, err := importing(t, from, objects).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, []Topic{
			{Topic: "0a1b.geo", Into: "u.geo", Files: 1, Bytes: result.Topics[0].Bytes, From: "2022-10-17", To: "2022-10-17"},
			{Topic: "0a1b.pin", Into: "u.pin", Files: 3, Bytes: result.Topics[1].Bytes, From: "2022-10-17", To: "2022-10-17"},
			{Topic: "0a1b.user", Into: "u.user", Files: 1, From: "2022-10-17", To: "2022-10-17"},
			{Topic: "events", Into: "Pinterest_data", Files: 2, Bytes: result.Topics[3].Bytes, From: "2022-10-17", To: "2022-10-18"},
		}, result.Topics)
		require.EqualValues(t, 8, result.Records)
		require.Equal(t, []string{"backfill --from 2022-10-17 --to 2022-10-18 --reprocess all"}, result.Commands())
		got := map[string][]line{}
		for key, all := range lines(t, objects) {
			folder := path.Dir(key)
			require.Regexp(t, `^(u\.\w+|Pinterest_data)\+\d+\+import-[0-9a-f]{10}-1-0000\d\d\.json$`, path.Base(key))
			got[folder] = append(got[folder], all...)
		}
		at := monday.UnixMilli()
		require.Equal(t, map[string][]line{
			"topics/u.pin/dt=2022-10-17/partition=0": {
				{"u.pin", 0, 0, at, `{"index":1}`, ""}, {"u.pin", 0, 1, at, `{"index":2}`, ""}, {"u.pin", 0, 2, at, `[{"index":3}]`, ""}, {"u.pin", 0, 3, at, "", "not json"},
			},
			"topics/u.pin/dt=2022-10-17/partition=1":          {{"u.pin", 1, 7, at, `{"index":4}`, ""}},
			"topics/u.geo/dt=2022-10-17/partition=0":          {{"u.geo", 0, 5, at, `{"ind":1}`, ""}},
			"topics/u.user/dt=2022-10-17/partition=0":         nil,
			"topics/Pinterest_data/dt=2022-10-17/partition=0": {{"Pinterest_data", 0, 0, at, "{\n    \"index\": 9,\n    \"ind\": 9\n}", ""}},
			"topics/Pinterest_data/dt=2022-10-18/partition=0": {{"Pinterest_data", 0, 0, at + 24*3600*1000, `{"index":8}`, ""}},
		}, got)
	})

	t.Run("imports_nothing_twice", func(t *testing.T) {
		from, objects := newOld(), buckettest.New()
		from.put("topics/a.pin/partition=0/a.pin+0+0000000000.json", "{}")
		i := importing(t, from, objects)
		i.AsDate = "2022-01-01"
		_, err := i.Run(t.Context())
		require.NoError(t, err)
		before := lines(t, objects)
		i.AsDate = "2022-01-02"
		again, err := i.Run(t.Context())
		require.NoError(t, err)
		require.False(t, again.Written())
		require.Equal(t, 1, again.Before)
		require.Equal(t, before, lines(t, objects))

		from.put("topics/a.pin/partition=0/a.pin+0+0000000001.json", "{}")
		again, err = i.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, again.Files)
		require.Equal(t, 1, again.Before)
		require.Len(t, lines(t, objects), 2)
	})

	t.Run("plans_without_a_change", func(t *testing.T) {
		from, objects := newOld(), buckettest.New()
		from.put("topics/a.pin/partition=0/a.pin+0+0000000000.json", "{}")
		result, err := importing(t, from, objects).Plan(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, result.Files)
		require.Empty(t, objects.Keys(""))
	})

	t.Run("leaves_out_nothing_without_a_word", func(t *testing.T) {
		from := newOld()
		refuses := func(words string, topics ...string) {
			t.Helper()
			objects := buckettest.New()
			_, err := importing(t, from, objects, topics...).Run(t.Context())
			require.ErrorContains(t, err, words)
			require.Equal(t, exit.Usage, exit.Code(err))
			require.Empty(t, objects.Keys(""))
		}
		refuses("it has nothing below topics/ and events/")
		from.put("topics/places/partition=0/places+0+0000000000.json", "{}")
		refuses("the kind of record of topic places is unknown: name it, as in --topic places=pin")
		refuses("--topic x: s3://old/ has no such topic; it has places", "x", "places=geo")
		from.put("topics/a.pin/dt=2022-10-17/partition=0/a.pin+0+0000000000.json", "{}") // Pinflow's own
		from.put("events/event-1.json.tmp", "{}")
		refuses("objects that the old pipeline does not write (2), such as topics/a.pin/dt=2022-10-17/partition=0/a.pin+0+0000000000.json, events/event-1.json.tmp", "places=geo")
		i := importing(t, from, buckettest.New(), "places=geo")
		i.SkipOthers = true
		result, err := i.Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, result.Others)
		require.EqualValues(t, 1, result.Records)
		_, err = ParseTopics(run.Topics{}, []string{"a=b"})
		require.ErrorContains(t, err, "one of the kinds pin, geo, user, post")
	})

	t.Run("says_which_files_have_changed", func(t *testing.T) {
		from, objects := newOld(), buckettest.New()
		from.put("events/event-1.json", "{}")
		from.put("events/event-2.json", "{}")
		from.fault = func(key string) error {
			if key == "events/event-1.json" && len(from.content[key]) == 2 {
				from.content[key] = []byte(`{"new":1}`)
			}
			return nil
		}
		result, err := importing(t, from, objects).Run(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"events/event-1.json"}, result.Changed)
		require.EqualValues(t, 1, result.Records)
		result, err = importing(t, from, objects).Run(t.Context())
		require.NoError(t, err)
		require.Empty(t, result.Changed)
		require.EqualValues(t, 1, result.Records)
		require.Equal(t, 1, result.Before+result.Files-1)
	})

	t.Run("names_the_object_that_cannot_be_read", func(t *testing.T) {
		from := newOld()
		whole := gzipped(strings.Repeat("{}\n", 100))
		from.put("events/event-1.json.gz", whole[:len(whole)-9])
		_, err := importing(t, from, buckettest.New()).Run(t.Context())
		require.ErrorContains(t, err, "cannot read the records of s3://old/events/event-1.json.gz: restore it, or move it away")
	})

	// However often an import is interrupted, whatever arrives meanwhile and however many run at once,
	// each record of the old bucket is in one object, once.
	t.Run("is_complete_after_interruptions", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			from, objects := newOld(), buckettest.New()
			files := 0
			arrive := func() {
				for range rapid.IntRange(1, 12).Draw(t, "files") {
					files++
					n := rapid.IntRange(0, 3).Draw(t, "records")
					body := ""
					for record := range n {
						body += fmt.Sprintf("{\"n\":\"%d-%d%s\"}\n", files, record, strings.Repeat("x", rapid.IntRange(0, 150).Draw(t, "length")))
					}
					at := monday.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "day")) * 24 * time.Hour)
					key := fmt.Sprintf("events/event-%d.json", files)
					if topic := rapid.SampledFrom([]string{"a.pin", "b.pin", "a.geo", ""}).Draw(t, "topic"); topic != "" {
						partition := rapid.IntRange(0, 1).Draw(t, "partition")
						// Offsets of files may overlap: a sink that has written some twice.
						key = fmt.Sprintf("topics/%s/partition=%d/%s+%d+%010d.json", topic, partition, topic, partition, files*2)
					}
					from.putAt(key, body, at)
				}
			}
			arrive()
			for range rapid.IntRange(0, 6).Draw(t, "interruptions") {
				var left atomic.Int64
				left.Store(rapid.Int64Range(0, 30).Draw(t, "requests before"))
				fail := func() error {
					if left.Add(-1) < 0 {
						return errors.New("killed")
					}
					return nil
				}
				from.fault = func(string) error { return fail() }
				broken := &breaking{Memory: objects, fail: fail}
				i := importing(t, from, broken)
				i.objectBytes, i.pause = 700, time.Nanosecond
				_, _ = i.Run(context.Background()) // it may succeed
				if rapid.Bool().Draw(t, "more arrive") {
					arrive()
				}
			}
			from.fault = nil
			i := importing(t, from, objects)
			i.objectBytes, i.pause = 700, time.Nanosecond
			_, err := i.Run(context.Background())
			require.NoError(t, err)

			var want, got []string
			for _, content := range from.content {
				for record := range strings.Lines(string(content)) {
					want = append(want, strings.TrimSpace(record))
				}
			}
			for key, all := range lines(t, objects) {
				seen := map[int64]bool{}
				for _, l := range all {
					require.False(t, seen[l.Offset], "%s has offset %d twice", key, l.Offset)
					seen[l.Offset] = true
					got = append(got, l.Value)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got)
		})
	})
}

// breaking is a bucket whose writes fail. A write may have been carried out.
type breaking struct {
	*buckettest.Memory
	fail func() error
}

func (b *breaking) Put(ctx context.Context, object bucket.PutInput) error {
	if err := b.fail(); err != nil {
		return err
	}
	err := b.Memory.Put(ctx, object)
	return errors.Join(err, b.fail())
}

func TestEachRecord(t *testing.T) {
	read := func(content string) (all []string, err error) {
		err = eachRecord(strings.NewReader(content), func(record []byte) error {
			all = append(all, string(record))
			return nil
		})
		return all, err
	}
	long := strings.Repeat("y", 11_000_000)
	for content, want := range map[string][]string{
		"":                       nil,
		"\n\r\n":                 nil,
		"{}":                     {"{}"},
		"{}\n{}\n":               {"{}", "{}"},
		"{\n \"a\": 1\n}\n":      {"{\n \"a\": 1\n}"},
		"[\n{},\n{}]":            {"[\n{},\n{}]"},
		"{\n} x":                 {"{", "} x"},
		"a\r\nb":                 {"a", "b"},
		" {} \n":                 {" {} "},
		"{\"a\":1,\"a\":2}\n{}":  {`{"a":1,"a":2}`, "{}"},
		"{\n\"a\":1,\"a\":2}":    {"{\n\"a\":1,\"a\":2}"},
		long + "\n" + long + "z": {long, long + "z"},
	} {
		got, err := read(content)
		require.NoError(t, err)
		require.True(t, slices.Equal(want, got), "%.50q: %.200q", content, got)
	}
	_, err := read(strings.Repeat("y", 65<<20))
	require.ErrorIs(t, err, errLine)
}
