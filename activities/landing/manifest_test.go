package landing

import (
	"encoding/json"
	"fmt"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/failure"
)

func TestManifest(t *testing.T) {
	t.Run("lists_objects_ranges_counts_and_checksums", func(t *testing.T) {
		l := newLandings(2, at(day, 25))
		l.ObjectRecords = 2
		for i := range 3 {
			l.broker.produce(topic, 0, at(day, 1), fmt.Sprintf(`{"index":%d}`, i))
		}
		_, summary := l.land(t, day)
		var manifest Manifest
		require.NoError(t, json.Unmarshal(l.bucket.Body("manifests/u.pin/2022-10-18.json"), &manifest))
		require.Equal(t, topic, manifest.Topic)
		require.Equal(t, day, manifest.Date)
		require.False(t, manifest.Partial)
		require.EqualValues(t, 3, manifest.Records)
		require.Len(t, manifest.Partitions, 2)
		first := manifest.Partitions[0]
		require.EqualValues(t, []int64{0, 3, 3}, []int64{first.Start, first.End, first.Records})
		for _, object := range first.Objects {
			body := l.bucket.Body(object.Key)
			require.Equal(t, checksum(body), object.SHA256)
			require.EqualValues(t, len(body), object.Bytes)
		}
		require.Equal(t, []Object{{Key: emptyKey(topic, day, 1), Partition: 1, SHA256: checksum(nil), Empty: true}}, manifest.Partitions[1].Objects)
		require.Equal(t, ManifestSummary{URI: "s3://bucket/manifests/u.pin/2022-10-18.json", Objects: 3, Records: 3, Bytes: manifest.Bytes}, summary)
		require.Equal(t, map[int]int64{0: 3, 1: 0}, l.broker.committed[topic])
	})

	t.Run("group_offsets_are_monitoring_only", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		l.broker.fault = func(request, _ string) error {
			if request == "commit" {
				return kafkago.NotCoordinatorForGroup
			}
			return nil
		}
		_, summary := l.land(t, day)
		require.EqualValues(t, 1, summary.Records)
	})

	t.Run("rejects_an_incomplete_landing", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		plan, err := l.plan(day)
		require.NoError(t, err)
		_, err = activitytest.Execute[ManifestSummary](l.WriteManifest, ManifestInput{Plan: plan})
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "run the date again")
		require.Empty(t, l.bucket.Keys("manifests/"))
	})
}
