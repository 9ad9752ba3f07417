package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/verify"
	"github.com/pinflow/pinflow/starter/verify/verifytest"
)

const day = dates.Date("2022-10-18")

// world lands three dates of one topic in two partitions: the last of them is partial. Each partition
// has 12 records of each date, in objects of 5, and after the first record of day an offset without
// one. So day has [12, 25) of each partition, in objects that start at 12, 18 and 23.
func world(t require.TestingT) *verifytest.World {
	w := verifytest.New(2, "pin")
	for i := range 3 {
		date := day.Add(i - 1)
		for n := range 12 {
			for partition := range 2 {
				w.Kafka.Produce(topic, partition, date.Start().Add(time.Duration(n)*time.Hour), fmt.Sprintf(`{"index":%d}`, n))
				if date == day && n == 0 {
					w.Kafka.Skip(topic, partition)
				}
			}
		}
	}
	for i := range 3 {
		require.NoError(t, w.Land("pin", day.Add(i-1), day.Add(1).Start().Add(13*time.Hour)))
	}
	return w
}

var topic = verifytest.Topic("pin")

func verifier(w *verifytest.World) *verify.Verifier {
	return &verify.Verifier{
		Objects: w.Bucket, Kafka: w.Kafka, WhyNoTables: "these tests have none", Topics: []string{topic}, Command: func(args string) string { return "starter " + args },
	}
}

func verifyAll(t require.TestingT, w *verifytest.World) verify.Report {
	v := verifier(w)
	days, err := v.Dates(context.Background())
	require.NoError(t, err)
	report, lost, err := v.Verify(context.Background(), days)
	require.NoError(t, err)
	require.NoError(t, lost)
	return withoutTables(t, report)
}

// withoutTables checks that the report says that no tables were counted, and takes it out.
func withoutTables(t require.TestingT, report verify.Report) verify.Report {
	require.False(t, report.Proven)
	last := len(report.Unchecked) - 1
	require.Equal(t, verify.Unchecked{What: "rows of the tables", Why: "these tests have none"}, report.Unchecked[last])
	report.Unchecked = report.Unchecked[:last]
	report.Proven = len(report.Unchecked) == 0 && len(report.Problems) == 0
	return report
}

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// key is the object of day that starts at an offset.
func key(partition int, start int64) string {
	return fmt.Sprintf("topics/%s/dt=%s/partition=%d/%s+%d+%010d.json", topic, day, partition, topic, partition, start)
}

// forge changes an object with its metadata and the manifest, so that only Kafka knows better.
func forge(t *testing.T, w *verifytest.World, key string, edit func(body []byte) []byte, records int64) {
	t.Helper()
	body := edit(w.Bucket.Body(key))
	sum := checksum(body)
	info, err := w.Bucket.Head(t.Context(), key)
	require.NoError(t, err)
	info.Metadata["sha256"], info.Metadata["records"] = sum, fmt.Sprint(records)
	require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: key, Body: body, Metadata: info.Metadata}))
	require.NoError(t, w.EditManifest("pin", day, func(m *landing.Manifest) {
		for i := range m.Partitions {
			for j := range m.Partitions[i].Objects {
				if o := &m.Partitions[i].Objects[j]; o.Key == key {
					more, bytes := records-o.Records, int64(len(body))-o.Bytes
					o.SHA256, o.Records, o.Bytes = sum, records, int64(len(body))
					m.Partitions[i].Records, m.Partitions[i].Bytes = m.Partitions[i].Records+more, m.Partitions[i].Bytes+bytes
					m.Records, m.Bytes = m.Records+more, m.Bytes+bytes
				}
			}
		}
	}))
}

func lines(edit func([][]byte) [][]byte) func([]byte) []byte {
	return func(body []byte) []byte { return bytes.Join(edit(bytes.SplitAfter(body, []byte("\n"))), nil) }
}

func TestVerify(t *testing.T) {
	t.Parallel()
	t.Run("proves_what_landed", func(t *testing.T) {
		t.Parallel()
		report := verifyAll(t, world(t))
		require.True(t, report.Proven, "%+v", report)
		require.Len(t, report.Topics, 3)
		for i, state := range []verify.State{verify.Complete, verify.Complete, verify.Partial} {
			landed := report.Topics[i]
			require.Equal(t, state, landed.State)
			require.EqualValues(t, 24, landed.Records)
			require.EqualValues(t, 24, landed.Kafka, "each record was compared with Kafka")
			require.Equal(t, state == verify.Partial, landed.Until != nil)
		}
		require.Equal(t, 6, report.Topics[1].Objects)
	})

	// Each corruption is found, and named at its place.
	for name, c := range map[string]struct {
		corrupt func(*testing.T, *verifytest.World)
		at      string // date/partition/offset of the problem, where they are known
		object  string // the end of its address
		what    string
		more    int // problems of the same cause
	}{
		"deleted_object": {
			corrupt: func(_ *testing.T, w *verifytest.World) { w.Bucket.Delete(key(1, 18)) },
			at:      "2022-10-18/1/18", object: key(1, 18), what: "the object is gone, and offsets 18 to 22 with it (5 records)",
		},
		"deleted_last_object": {
			corrupt: func(_ *testing.T, w *verifytest.World) { w.Bucket.Delete(key(0, 23)) },
			at:      "2022-10-18/0/23", object: key(0, 23), what: "the object is gone, and offsets 23 to 24 with it (2 records)",
		},
		"deleted_objects_of_a_date": {
			corrupt: func(_ *testing.T, w *verifytest.World) {
				w.Bucket.Delete("topics/" + topic + "/dt=2022-10-18/")
			},
			at: "2022-10-18/0/12", object: key(0, 12), what: "the object is gone", more: 5,
		},
		"truncated_object": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Edit(key(0, 12), func(body []byte) []byte { return body[:len(body)-9] }))
			},
			at: "2022-10-18/0/17", object: key(0, 12), what: "line 5 is cut", more: 1,
		},
		"truncated_between_lines": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Edit(key(0, 12), lines(func(l [][]byte) [][]byte { return l[:4] })))
			},
			at: "2022-10-18/0/12", object: key(0, 12), what: "4 lines of 5", more: 1,
		},
		"changed_byte": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Edit(key(0, 12), func(b []byte) []byte { return bytes.Replace(b, []byte("index"), []byte("indes"), 1) }))
			},
			at: "2022-10-18/0/12", object: key(0, 12), what: "the content is not what landed: another checksum",
		},
		"doubled_line": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Edit(key(0, 18), lines(func(l [][]byte) [][]byte { return slices.Insert(l, 1, l[0]) })))
			},
			at: "2022-10-18/0/18", object: key(0, 18), what: "line 2 has offset 18 a second time",
		},
		"swapped_lines": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Edit(key(0, 18), lines(func(l [][]byte) [][]byte { l[0], l[1] = l[1], l[0]; return l })))
			},
			at: "2022-10-18/0/18", object: key(0, 18), what: "line 2 has offset 18, and a line before it", more: 2,
		},
		"missing_line": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Edit(key(0, 18), lines(func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) })))
			},
			at: "2022-10-18/0/20", object: key(0, 18), what: "the object has no line for offset 20, of which Kafka has a record", more: 1,
		},
		"missing_line_with_a_forged_manifest": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				forge(t, w, key(0, 18), lines(func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) }), 4)
			},
			at: "2022-10-18/0/20", object: key(0, 18), what: "the object has no line for offset 20",
		},
		"invented_line_with_a_forged_manifest": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				forge(t, w, key(0, 12), lines(func(l [][]byte) [][]byte {
					return slices.Insert(l, 1, bytes.Replace(l[0], []byte(`"offset":12`), []byte(`"offset":13`), 1))
				}), 6)
			},
			at: "2022-10-18/0/13", object: key(0, 12), what: "the object has a line for offset 13, of which Kafka has no record",
		},
		"line_of_another_topic": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Edit(key(0, 12), func(b []byte) []byte { return bytes.Replace(b, []byte("u1.pin"), []byte("u2.pin"), 1) }))
			},
			at: "2022-10-18/0/12", object: key(0, 12), what: "line 1 is cut, or is no record of partition 0 of u1.pin", more: 1,
		},
		"object_twice": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				info, err := w.Bucket.Head(t.Context(), key(0, 18))
				require.NoError(t, err)
				info.Metadata["start-offset"] = "20"
				body := bytes.Join(bytes.SplitAfter(w.Bucket.Body(key(0, 18)), []byte("\n"))[2:], nil)
				info.Metadata["records"], info.Metadata["sha256"] = "3", checksum(body)
				require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: key(0, 20), Body: body, Metadata: info.Metadata}))
			},
			at: "2022-10-18/0/20", object: key(0, 20), what: "offsets 20 to 22 are in two objects", more: 1,
		},
		"another_file_in_the_folder": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: "topics/" + topic + "/dt=2022-10-18/partition=0/copy.json", Body: []byte("{}\n")}))
			},
			at: "2022-10-18//", object: "copy.json", what: "landing has not written this object, and load reads it",
		},
		"object_without_metadata": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: key(0, 12), Body: w.Bucket.Body(key(0, 12))}))
			},
			at: "2022-10-18/0/12", object: key(0, 12), what: "the metadata do not have the offsets of the object",
		},
		"other_metadata": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				info, err := w.Bucket.Head(t.Context(), key(0, 12))
				require.NoError(t, err)
				info.Metadata["records"] = "4"
				require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: key(0, 12), Body: w.Bucket.Body(key(0, 12)), Metadata: info.Metadata}))
			},
			at: "2022-10-18/0/12", object: key(0, 12), what: "the metadata are not those of the content (5 lines of 4)",
		},
		"later_boundary": {
			corrupt: func(t *testing.T, w *verifytest.World) { require.NoError(t, w.EditBoundary("pin", day, 1, 1)) },
			at:      "2022-10-18/1/26", object: "boundaries/" + topic + "/2022-10-18.json", what: "the boundary is at offset 26", more: 1,
		},
		"earlier_boundary": {
			corrupt: func(t *testing.T, w *verifytest.World) { require.NoError(t, w.EditBoundary("pin", day, 1, -1)) },
			at:      "2022-10-18/1/24", object: "boundaries/" + topic + "/2022-10-18.json", what: "the boundary is at offset 24", more: 1,
		},
		"deleted_boundary": {
			corrupt: func(_ *testing.T, w *verifytest.World) { w.Bucket.Delete("boundaries/" + topic + "/2022-10-18.json") },
			at:      "2022-10-18//", object: "boundaries/" + topic + "/2022-10-18.json", what: "the boundary at which 2022-10-18 ends is gone", more: 1,
		},
		"damaged_boundary": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: "boundaries/" + topic + "/2022-10-18.json", Body: []byte("{")}))
			},
			at: "2022-10-18//", object: "boundaries/" + topic + "/2022-10-18.json", what: "the boundary was damaged", more: 1,
		},
		"deleted_manifest": {
			corrupt: func(_ *testing.T, w *verifytest.World) { w.Bucket.Delete("manifests/" + topic + "/2022-10-18.json") },
			at:      "2022-10-18//", object: "manifests/" + topic + "/2022-10-18.json", what: "there is no manifest",
		},
		"damaged_manifest": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: "manifests/" + topic + "/2022-10-18.json", Body: []byte("{")}))
			},
			at: "2022-10-18//", object: "manifests/" + topic + "/2022-10-18.json", what: "the manifest was damaged", more: 1,
		},
		"manifest_without_an_object": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.EditManifest("pin", day, func(m *landing.Manifest) { m.Partitions[0].Objects = m.Partitions[0].Objects[:2] }))
			},
			at: "2022-10-18//", object: "manifests/" + topic + "/2022-10-18.json", what: "it counts 12 records", more: 1,
		},
		"manifest_with_another_count": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.EditManifest("pin", day, func(m *landing.Manifest) { m.Records++ }))
			},
			at: "2022-10-18//", object: "manifests/" + topic + "/2022-10-18.json", what: "it counts 25 records",
		},
		"manifest_with_another_end": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.EditManifest("pin", day, func(m *landing.Manifest) { m.Partitions[1].End-- }))
			},
			at: "2022-10-18/1/24", object: "manifests/" + topic + "/2022-10-18.json", what: "the manifest has the end of the partition at offset 24, boundary and objects at 25",
		},
		"manifest_with_another_checksum": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				require.NoError(t, w.EditManifest("pin", day, func(m *landing.Manifest) { m.Partitions[1].Objects[1].SHA256 = "0" }))
			},
			at: "2022-10-18/1/18", object: "manifests/" + topic + "/2022-10-18.json", what: "the manifest has other figures for " + key(1, 18),
		},
		"date_that_did_not_land": {
			corrupt: func(_ *testing.T, w *verifytest.World) {
				w.Bucket.Delete("topics/" + topic + "/dt=2022-10-18/")
				w.Bucket.Delete("manifests/" + topic + "/2022-10-18.json")
			},
			at: "2022-10-18/0/12", what: "offsets 12 to 24 have not landed", more: 1,
		},
		"partial_manifest_of_a_date_that_is_over": {
			corrupt: func(t *testing.T, w *verifytest.World) {
				w.Bucket.Delete(key(0, 23))
				require.NoError(t, w.EditManifest("pin", day, func(m *landing.Manifest) {
					p := &m.Partitions[0]
					lost := p.Objects[2]
					m.Partial, p.Objects, p.End = true, p.Objects[:2], 23
					p.Records, p.Bytes, m.Records, m.Bytes = p.Records-lost.Records, p.Bytes-lost.Bytes, m.Records-lost.Records, m.Bytes-lost.Bytes
				}))
			},
			at: "2022-10-18/0/23", what: "offsets 23 to 24 have not landed: the date is over, and its last run was partial",
		},
		"topic_created_again": {
			corrupt: func(_ *testing.T, w *verifytest.World) { w.Kafka.Recreate(topic, 1) },
			at:      "2022-10-18/1/12", object: key(1, 12), what: "Kafka has another record than the line at offsets 12, 14, 15 and 2 more", more: -1,
		},
		"topic_created_again_and_shorter": {
			corrupt: func(_ *testing.T, w *verifytest.World) { w.Kafka.Shorten(topic, 1, 20) },
			at:      "2022-10-18/1/20", object: key(1, 18), what: "the partition ends at 20 in Kafka", more: -1,
		},
	} {
		t.Run("finds_"+name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			c.corrupt(t, w)
			report := verifyAll(t, w)
			require.False(t, report.Proven)
			var said []string
			found := slices.IndexFunc(report.Problems, func(p verify.Problem) bool {
				at := string(p.Date) + "/"
				if p.Partition != nil {
					at += fmt.Sprint(*p.Partition)
				}
				at += "/"
				if p.Offset != nil {
					at += fmt.Sprint(*p.Offset)
				}
				said = append(said, fmt.Sprintf("%s %s: %s", at, p.Object, p.What))
				require.NotEmpty(t, p.Next)
				return at == c.at && strings.HasSuffix(p.Object, c.object) && strings.Contains(p.What, c.what)
			})
			require.GreaterOrEqual(t, found, 0, "%s", strings.Join(said, "\n"))
			if c.more >= 0 {
				require.Len(t, report.Problems, 1+c.more, "%s", strings.Join(said, "\n"))
			}
		})
	}

	// What cannot be checked is said, and is not proven.
	t.Run("says_what_retention_has_deleted", func(t *testing.T) {
		t.Parallel()
		w := world(t)
		w.Kafka.Expire(topic, 0, 14)
		report := verifyAll(t, w)
		require.Empty(t, report.Problems)
		require.False(t, report.Proven)
		require.Len(t, report.Unchecked, 2, "the date before, and this one")
		require.EqualValues(t, 12, report.Topics[0].Kafka, "those of the other partition")
		require.EqualValues(t, 23, report.Topics[1].Kafka)
		require.EqualValues(t, 24, report.Topics[2].Kafka)
	})

	// What Kafka lost before it landed is a problem until that is accepted, and is named in any case.
	t.Run("names_what_kafka_lost_before_it_landed", func(t *testing.T) {
		t.Parallel()
		w := verifytest.New(1, "pin")
		for n := range 20 {
			w.Kafka.Produce(topic, 0, day.Start().Add(time.Duration(n)*time.Hour), "{}")
		}
		require.NoError(t, w.Land("pin", day.Add(-1), day.Start()), "nothing was lost when the topic was first planned")
		w.Kafka.Expire(topic, 0, 7)
		require.Error(t, w.Land("pin", day, day.End()))
		report := verifyAll(t, w)
		require.Len(t, report.Problems, 1, "%+v", report)
		require.Equal(t, "Kafka lost offsets 0 to 6 before they landed (expired), and nobody has accepted that", report.Problems[0].What)
		require.Contains(t, report.Problems[0].Next, "--accept-gaps")

		require.NoError(t, w.LandWithout("pin", day, day.End(), &landing.Acceptance{By: "ann", Reason: "it was a test"}))
		report = verifyAll(t, w)
		require.True(t, report.Proven, "%+v", report)
		require.Len(t, report.Lost, 1)
		require.Equal(t, "it was a test", report.Lost[0].Accepted.Reason)
		require.EqualValues(t, 13, report.Topics[len(report.Topics)-1].Kafka)
	})

	// After an accepted restart of the topic its offsets name other records.
	t.Run("knows_the_logs_of_a_topic", func(t *testing.T) {
		t.Parallel()
		w := verifytest.New(2, "pin")
		produce := func(from time.Time, records int) {
			for n := range records {
				w.Kafka.Produce(topic, n%2, from.Add(time.Duration(n)*time.Minute), "{}")
			}
		}
		produce(day.Start(), 20)
		require.NoError(t, w.Land("pin", day, day.Start().Add(time.Hour)))
		w.Kafka.Replace(topic)
		produce(day.Start().Add(2*time.Hour), 30)
		require.Error(t, w.Land("pin", day, day.End()))
		require.NoError(t, w.LandWithout("pin", day, day.End(), &landing.Acceptance{By: "ann", Reason: "created again"}))
		produce(day.End(), 8)
		require.NoError(t, w.Land("pin", day.Add(1), day.Add(1).End()))
		report := verifyAll(t, w)
		require.Empty(t, report.Problems, "%+v", report.Problems)
		require.Len(t, report.Unchecked, 1)
		require.Contains(t, report.Unchecked[0].Why, "the log from which they landed was replaced")
		last := len(report.Topics) - 1
		require.EqualValues(t, 50, report.Topics[last-1].Records)
		require.EqualValues(t, 30, report.Topics[last-1].Kafka)
		require.EqualValues(t, 8, report.Topics[last].Kafka)

		w.Bucket.Delete("topics/" + topic + "/dt=2022-10-18/partition=1/u1.pin+1+0000000005+g1.json")
		report = verifyAll(t, w)
		require.Len(t, report.Problems, 1, "%+v", report.Problems)
		require.Contains(t, report.Problems[0].What, "the object is gone, and offsets 5 to 9 with it")
	})

	t.Run("finds_a_deleted_object_that_kafka_has_no_more", func(t *testing.T) {
		t.Parallel()
		w := world(t)
		w.Kafka.Expire(topic, 0, 30)
		w.Bucket.Delete(key(0, 12))
		report := verifyAll(t, w)
		require.Len(t, report.Problems, 1)
		require.Equal(t, "the object is gone, and offsets 12 to 17 with it (5 records)", report.Problems[0].What)
	})

	t.Run("says_that_kafka_is_down", func(t *testing.T) {
		t.Parallel()
		w := world(t)
		w.Kafka.Down = errors.New("connection refused")
		report, lost, err := verifier(w).Verify(t.Context(), []dates.Date{day})
		require.NoError(t, err)
		require.ErrorContains(t, lost, "connection refused")
		require.False(t, report.Proven)
		require.Contains(t, report.Unchecked[0].Why, "connection refused")
	})

	t.Run("says_that_the_topic_is_gone", func(t *testing.T) {
		t.Parallel()
		w := world(t)
		w.Kafka.Delete(topic)
		report, lost, err := verifier(w).Verify(t.Context(), []dates.Date{day})
		require.NoError(t, err)
		require.NoError(t, lost)
		require.Contains(t, report.Unchecked[0].Why, "does not have the topic")
	})

	t.Run("does_not_prove_a_date_of_which_nothing_is_known", func(t *testing.T) {
		t.Parallel()
		report, _, err := verifier(world(t)).Verify(t.Context(), []dates.Date{day.Add(-10)})
		require.NoError(t, err)
		require.False(t, report.Proven)
		require.Equal(t, verify.NotLanded, report.Topics[0].State)
		require.Contains(t, report.Unchecked[0].Why, "`starter run 2022-10-08` lands them")
	})

	t.Run("fails_if_the_bucket_cannot_be_read", func(t *testing.T) {
		t.Parallel()
		w := world(t)
		w.Bucket.FailBefore(func(request, key string) error {
			if request == "get" && strings.HasPrefix(key, "topics/") {
				return errors.New("connection reset")
			}
			return nil
		})
		_, _, err := verifier(w).Verify(t.Context(), []dates.Date{day})
		require.ErrorContains(t, err, "connection reset")
	})
}

// importInto writes an imported object into day, with the lines of these offsets.
func importInto(t require.TestingT, w *verifytest.World, offsets ...int64) string {
	key := landing.ImportedKey(topic, day, 0, "ab-1-000001")
	var body []byte
	for _, offset := range offsets {
		body = fmt.Appendf(body, `{"topic":%q,"partition":0,"offset":%d,"timestamp":5,"key":null,"value":"{}"}`+"\n", topic, offset)
	}
	object := landing.Object{Key: key, Start: offsets[0], End: offsets[len(offsets)-1] + 1, Records: int64(len(offsets))}
	require.NoError(t, landing.PutImported(context.Background(), w.Bucket, object, body))
	return key
}

func TestImported(t *testing.T) {
	t.Run("objects_beside_landed_ones_are_right", func(t *testing.T) {
		w := world(t)
		importInto(t, w, 3, 12, 13) // also offsets that have landed
		before := verifyAll(t, world(t))
		report := verifyAll(t, w)
		require.Empty(t, report.Problems)
		require.Equal(t, before.Topics[1].Records+3, report.Topics[1].Records)
		require.NoError(t, w.Land("pin", day, day.Add(1).Start().Add(13*time.Hour)))
		require.Empty(t, verifyAll(t, w).Problems, "with the object in the manifest")
	})

	t.Run("objects_that_were_changed_or_deleted_are_found", func(t *testing.T) {
		for what, damage := range map[string]func(w *verifytest.World, key string) error{
			"the content is not what landed": func(w *verifytest.World, key string) error {
				return w.Edit(key, func(body []byte) []byte { return body[:bytes.IndexByte(body, '\n')+1] })
			},
			"and it is gone": func(w *verifytest.World, key string) error { w.Bucket.Delete(key); return nil },
			"the metadata do not have the offsets of the object": func(w *verifytest.World, key string) error {
				return w.Bucket.Put(context.Background(), bucket.PutInput{Key: key, Body: w.Bucket.Body(key)})
			},
		} {
			w := world(t)
			key := importInto(t, w, 3, 4)
			require.NoError(t, w.Land("pin", day, day.Add(1).Start().Add(13*time.Hour)))
			require.NoError(t, damage(w, key))
			problems := verifyAll(t, w).Problems
			require.NotEmpty(t, problems, what)
			require.Contains(t, problems[0].What, what)
			require.Equal(t, w.Bucket.URI(key), problems[0].Object)
		}
	})
}
