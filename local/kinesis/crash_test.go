package kinesis

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/local/kinesis/streams"
)

func started(t require.TestingT, dir string, now *time.Time) *Server {
	s, err := Start(Options{Address: "127.0.0.1:0", Dir: dir, Region: "us-east-1", Clock: func() time.Time { return *now }})
	require.NoError(t, err)
	return s
}

// contents returns the data of a stream, shard after shard.
func contents(t require.TestingT, s *Server, name string) (all []string) {
	var pages []streams.Page
	require.NoError(t, s.broker.look(func(a *streams.Account, now time.Time) error {
		_, shards, _, err := a.ListShards(now, streams.Query{Name: name, Limit: streams.MaxListShards})
		for _, shard := range shards {
			it, failed := a.GetShardIterator(now, name, streams.Start{ShardID: shard.ID(), Type: "TRIM_HORIZON"})
			require.NoError(t, failed)
			page, failed := a.GetRecords(now, it, streams.MaxGetRecords, recordHeader)
			require.NoError(t, failed)
			pages = append(pages, page)
		}
		return err
	}))
	for _, page := range pages {
		records, err := s.fetch(page)
		require.NoError(t, err)
		for _, r := range records {
			all = append(all, r.SequenceNumber+" "+string(r.Data))
		}
	}
	return all
}

// moment is what was on disk, and acknowledged, after an operation.
type moment struct {
	log      int64 // bytes
	snapshot []byte
	want     []string // of the stream
}

// After a crash at any byte of the log, all acknowledged records are there, once and in order, and
// new ones get sequence numbers that were never given.
func TestCrash(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "kinesis")
		require.NoError(t, err)
		defer func() { require.NoError(t, os.RemoveAll(dir)) }()
		now := time.Now()
		s := started(t, dir, &now)
		one := 1
		_, err = s.createStream(createStream{StreamName: "s", ShardCount: &one})
		require.NoError(t, err)
		log := filepath.Join(dir, "records", "00000001.log")
		var moments []moment
		note := func() {
			info, err := os.Stat(log)
			require.NoError(t, err)
			snapshot, err := os.ReadFile(filepath.Join(dir, snapshotFile))
			require.NoError(t, err)
			moments = append(moments, moment{info.Size(), snapshot, contents(t, s, "s")})
			now = now.Add(2 * time.Second) // past the limits
		}
		note()
		for i := range rapid.IntRange(1, 8).Draw(t, "operations") {
			operate(t, s, i)
			note()
		}
		s.Stop()

		at := rapid.IntRange(0, len(moments)-1).Draw(t, "crash after")
		crashed, log2 := moments[at], moments[at].log
		if at+1 < len(moments) {
			log2 = moments[at+1].log
		}
		require.NoError(t, os.Truncate(log, rapid.Int64Range(crashed.log, log2).Draw(t, "byte")))
		require.NoError(t, os.WriteFile(filepath.Join(dir, snapshotFile), crashed.snapshot, 0o600))
		s = started(t, dir, &now)
		defer s.Stop()
		got := contents(t, s, "s")
		requireKept(t, crashed.want, got)
		_, err = s.putRecord(putRecord{target: target{StreamName: "s"}, putEntry: entry("after", "k")})
		require.NoError(t, err)
		now = now.Add(2 * time.Second)
		require.Len(t, contents(t, s, "s"), len(got)+1)
	})
}

// requireKept requires that what was acknowledged is there in its order; records that were not may be
// there, too.
func requireKept(t require.TestingT, want, got []string) {
	seen := map[string]int{}
	for i, r := range got {
		require.NotContains(t, seen, r)
		seen[r] = i
	}
	last := -1
	for _, r := range want {
		require.Contains(t, seen, r)
		require.Greater(t, seen[r], last)
		last = seen[r]
	}
}

func entry(data, key string) putEntry {
	content := []byte(data)
	return putEntry{Data: &content, PartitionKey: key}
}

// operate does something to the stream.
func operate(t *rapid.T, s *Server, i int) {
	var open []shard
	list, err := s.listShards(listShards{target: target{StreamName: "s"}})
	require.NoError(t, err)
	for _, one := range list.(listShardsAnswer).Shards {
		if one.SequenceNumberRange.EndingSequenceNumber == "" {
			open = append(open, one)
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "operation") {
	case 0:
		in := putRecords{target: target{StreamName: "s"}}
		for j := range rapid.IntRange(1, 5).Draw(t, "records") {
			in.Records = append(in.Records, entry(fmt.Sprint(i, "-", j), fmt.Sprint(j)))
		}
		_, err = s.putRecords(in)
	case 1: // at once, so that they share a sync
		var group sync.WaitGroup
		for j := range 4 {
			group.Go(func() {
				_, err := s.putRecord(putRecord{target: target{StreamName: "s"}, putEntry: entry(fmt.Sprint(i, "+", j), fmt.Sprint(j))})
				require.NoError(t, err)
			})
		}
		group.Wait()
	case 2:
		_, err = s.updateShardCount(updateShardCount{target: target{StreamName: "s"}, ScalingType: uniformScaling, TargetShardCount: 2 * len(open)})
	case 3:
		_, err = s.updateShardCount(updateShardCount{target: target{StreamName: "s"}, ScalingType: uniformScaling, TargetShardCount: (len(open) + 1) / 2})
	}
	require.NoError(t, err)
}

func TestBroker(t *testing.T) {
	t.Parallel()
	t.Run("a_deleted_stream_stays_deleted_with_its_records", func(t *testing.T) {
		dir, now, one := t.TempDir(), time.Now(), 1
		s := started(t, dir, &now)
		for range 2 {
			_, err := s.createStream(createStream{StreamName: "s", ShardCount: &one})
			require.NoError(t, err)
			_, err = s.putRecord(putRecord{target: target{StreamName: "s"}, putEntry: entry("data", "k")})
			require.NoError(t, err)
			require.Len(t, contents(t, s, "s"), 1)
			_, err = s.deleteStream(target{StreamName: "s"})
			require.NoError(t, err)
		}
		s.Stop()
		s = started(t, dir, &now)
		defer s.Stop()
		_, err := s.describeStreamSummary(target{StreamName: "s"})
		require.ErrorContains(t, err, "ResourceNotFoundException")
	})
	t.Run("expired_records_leave_the_disk_and_positions_are_not_given_again", func(t *testing.T) {
		dir, now, one := t.TempDir(), time.Now(), 1
		s := started(t, dir, &now)
		_, err := s.createStream(createStream{StreamName: "s", ShardCount: &one, MaxRecordSizeInKiB: streams.MaxRecordKiB})
		require.NoError(t, err)
		put := func(size int) string {
			out, err := s.putRecord(putRecord{target: target{StreamName: "s"}, putEntry: entry(string(bytes.Repeat([]byte("x"), size)), "k")})
			require.NoError(t, err)
			now = now.Add(20 * time.Second)
			return out.(putRecordAnswer).SequenceNumber
		}
		var last string
		for range 9 { // more than a segment
			last = put(9 << 20)
		}
		require.FileExists(t, filepath.Join(dir, "records", "00000001.log"))
		now = now.Add(25 * time.Hour)
		require.NoError(t, s.broker.tidy())
		require.NoFileExists(t, filepath.Join(dir, "records", "00000001.log"))
		s.Stop()
		s = started(t, dir, &now)
		defer s.Stop()
		require.Empty(t, contents(t, s, "s"))
		require.Greater(t, put(1), last)
	})
	t.Run("a_change_that_cannot_be_saved_did_not_happen", func(t *testing.T) {
		dir, now, one := t.TempDir(), time.Now(), 1
		s := started(t, dir, &now)
		defer s.Stop()
		_, err := s.createStream(createStream{StreamName: "s", ShardCount: &one})
		require.NoError(t, err)
		require.NoError(t, os.Mkdir(filepath.Join(dir, snapshotFile+".new"), 0o700)) // it cannot be written
		_, err = s.updateShardCount(updateShardCount{target: target{StreamName: "s"}, ScalingType: uniformScaling, TargetShardCount: 2})
		require.Error(t, err)
		out, err := s.describeStreamSummary(target{StreamName: "s"})
		require.NoError(t, err)
		require.Equal(t, 1, out.(describeStreamSummaryAnswer).StreamDescriptionSummary.OpenShardCount)
		_, err = s.putRecord(putRecord{target: target{StreamName: "s"}, putEntry: entry("data", "k")})
		require.NoError(t, err)
	})
	t.Run("a_damaged_file_says_what_to_do", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, snapshotFile), []byte("{"), 0o600))
		_, err := Start(Options{Address: "127.0.0.1:0", Dir: dir})
		require.ErrorContains(t, err, "remove the directory")
	})
	t.Run("a_token_outlives_a_restart", func(t *testing.T) {
		dir, now := t.TempDir(), time.Now()
		s := started(t, dir, &now)
		token := s.seal("kind", "value")
		s.Stop()
		s = started(t, dir, &now)
		defer s.Stop()
		var value string
		require.NoError(t, s.unseal("kind", token, &value))
		require.Equal(t, "value", value)
		require.Error(t, s.unseal("other", token, &value))
	})
	t.Run("only_the_owner_can_read_the_directory", func(t *testing.T) {
		dir, now := filepath.Join(t.TempDir(), "kinesis"), time.Now()
		s := started(t, dir, &now)
		defer s.Stop()
		info, err := os.Stat(dir)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	})
}
