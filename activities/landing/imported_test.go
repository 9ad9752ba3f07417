package landing

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/failure"
)

func TestImported(t *testing.T) {
	put := func(t *testing.T, l *landings, partition int, name, body string, start, end, records int64) Object {
		object := Object{Key: ImportedKey(topic, day, partition, name), Partition: partition, Start: start, End: end, Records: records}
		require.NoError(t, PutImported(context.Background(), l.bucket, object, []byte(body)))
		return object
	}

	t.Run("live_beside_landed_objects_of_the_same_offsets", func(t *testing.T) {
		l := newLandings(2, at(day, 25))
		require.Equal(t, "topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+import-ab-000001.json", ImportedKey(topic, day, 0, "ab-000001"))
		put(t, l, 0, "ab-000001", "x\ny\n", 0, 7, 2)
		put(t, l, 7, "ab-000002", "z\n", 3, 4, 1) // a partition that the topic has not got
		l.broker.produce(topic, 0, at(day, 1), "{}")
		l.broker.produce(topic, 0, at(day, 1), "{}")
		_, summary := l.land(t, day)
		require.Equal(t, ManifestSummary{URI: summary.URI, Objects: 4, Records: 5, Bytes: summary.Bytes}, summary, "two of them imported, one of no records")
		_, again := l.land(t, day)
		require.Equal(t, summary, again)
		manifest, err := ReadManifest(context.Background(), l.bucket, topic, day)
		require.NoError(t, err)
		require.Len(t, manifest.Partitions, 2)
		require.Equal(t, []Object{
			{Key: ImportedKey(topic, day, 0, "ab-000001"), Start: 0, End: 7, Records: 2, Bytes: 4, SHA256: checksum([]byte("x\ny\n"))},
			{Key: ImportedKey(topic, day, 7, "ab-000002"), Partition: 7, Start: 3, End: 4, Records: 1, Bytes: 2, SHA256: checksum([]byte("z\n"))},
		}, manifest.Imported)
	})

	t.Run("are_written_once", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		object := put(t, l, 0, "ab-000001", "x\n", 0, 1, 1)
		require.ErrorIs(t, PutImported(context.Background(), l.bucket, object, []byte("other\n")), bucket.ErrExists)
	})

	t.Run("that_were_copied_without_metadata_are_refused", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		require.NoError(t, l.bucket.Put(context.Background(), bucket.PutInput{Key: ImportedKey(topic, day, 0, "ab-000001"), Body: []byte("x\n")}))
		plan, err := l.plan(day)
		require.NoError(t, err)
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "import-ab-000001.json", "starter import")
	})

	t.Run("have_no_other_names", func(t *testing.T) {
		for _, key := range []string{
			"topics/u.pin/dt=2022-10-18/partition=0/u.pin+1+import-ab.json", "topics/u.pin/dt=2022-10-18/partition=0/x/u.pin+0+import-ab.json",
			"topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+import-ab.txt", "topics/u.pin/dt=2022-10-19/partition=0/u.pin+0+import-ab.json",
		} {
			_, ok := imported(topic, day, key)
			require.False(t, ok, key)
			if key[23:26] == "-18" {
				l := newLandings(1, at(day, 25))
				require.NoError(t, l.bucket.Put(context.Background(), bucket.PutInput{Key: key}))
				_, err := l.plan(day)
				activitytest.RequireNonRetryable(t, err, failure.Contradiction, "is not a landed object")
			}
		}
	})
}
