package streams

import (
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var start = time.Date(2022, 10, 18, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) move(d time.Duration) { c.now = c.now.Add(d) }

// account returns an account with a stream "s".
func account(t require.TestingT, shards int) (*Account, *clock) {
	a, c := NewAccount("us-east-1", 0), &clock{start}
	require.NoError(t, a.CreateStream(c.now, Create{Name: "s", Shards: &shards}))
	return a, c
}

// put puts a record of that size, and writes it.
func put(a *Account, c *clock, size int) error {
	p, err := a.PutRecord(c.now, "s", Put{PartitionKey: "k", Size: size - 1}, "")
	if err == nil {
		p.Record.Place.Length = int32(size)
		p.Shard.Add(p.Record)
	}
	return err
}

func iterator(t require.TestingT, a *Account, c *clock, number int, kind string) Iterator {
	it, err := a.GetShardIterator(c.now, "s", Start{ShardID: ShardID(number), Type: kind})
	require.NoError(t, err)
	return it
}

func code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

const throttling = "ProvisionedThroughputExceededException"

func TestLimits(t *testing.T) {
	t.Parallel()
	t.Run("a_shard_takes_1000_records_a_second_and_again_after_one", func(t *testing.T) {
		a, c := account(t, 1)
		for range WriteRecordsPerSecond {
			require.NoError(t, put(a, c, 10))
		}
		require.Equal(t, throttling, code(put(a, c, 10)))
		c.move(10 * time.Millisecond)
		for range 10 {
			require.NoError(t, put(a, c, 10))
		}
		require.Equal(t, throttling, code(put(a, c, 10)))
		c.move(time.Minute)
		for range WriteRecordsPerSecond {
			require.NoError(t, put(a, c, 10))
		}
		require.Equal(t, throttling, code(put(a, c, 10)))
	})
	t.Run("a_shard_takes_1_MiB_a_second", func(t *testing.T) {
		a, c := account(t, 1)
		require.NoError(t, put(a, c, WriteBytesPerSecond/2))
		require.Equal(t, throttling, code(put(a, c, WriteBytesPerSecond/2+1)))
		require.NoError(t, put(a, c, WriteBytesPerSecond/2))
		c.move(500 * time.Millisecond)
		require.NoError(t, put(a, c, WriteBytesPerSecond/2))
	})
	t.Run("a_large_record_drains_what_refills_at_1_MiB_a_second", func(t *testing.T) {
		a, c := account(t, 1)
		require.NoError(t, a.SetMaxRecord(c.now, "s", MaxRecordKiB))
		require.NoError(t, put(a, c, 10*mib))
		c.move(900 * time.Millisecond)
		require.Equal(t, throttling, code(put(a, c, mib)))
		c.move(100 * time.Millisecond)
		require.NoError(t, put(a, c, mib))
	})
	t.Run("a_throttled_shard_lets_the_others_go_on", func(t *testing.T) {
		a, c := account(t, 2)
		puts := make([]Put, MaxPutRecords)
		for i := range puts {
			puts[i] = Put{PartitionKey: "k", ExplicitHashKey: "0", Size: 3000}
		}
		puts[499].ExplicitHashKey = MaxHashKey.String()
		_, failures, err := a.PutRecords(c.now, "s", puts)
		require.NoError(t, err)
		require.NoError(t, failures[0])
		require.Equal(t, throttling, code(failures[498]))
		require.NoError(t, failures[499])
	})
	t.Run("a_shard_is_read_5_times_a_second", func(t *testing.T) {
		a, c := account(t, 1)
		it := iterator(t, a, c, 0, "LATEST")
		read := func() error { _, err := a.GetRecords(c.now, it, 1, 0); return err }
		for range ReadsPerSecond {
			require.NoError(t, read())
		}
		require.Equal(t, throttling, code(read()))
		c.move(200 * time.Millisecond)
		require.NoError(t, read())
		require.Equal(t, throttling, code(read()))
	})
	t.Run("a_shard_gives_2_MiB_a_second", func(t *testing.T) {
		a, c := account(t, 1)
		for range 12 {
			require.NoError(t, put(a, c, mib))
			c.move(time.Second)
		}
		it := iterator(t, a, c, 0, "TRIM_HORIZON")
		for _, want := range []error{nil, nil} {
			_, err := a.GetRecords(c.now, it, 1, 0)
			require.Equal(t, want, err)
		}
		_, err := a.GetRecords(c.now, it, 1, 0)
		require.Equal(t, throttling, code(err))
		c.move(time.Second)
		page, err := a.GetRecords(c.now, it, MaxGetRecords, 0)
		require.NoError(t, err)
		require.Len(t, page.Records, 10, "10 MiB of 12")
		c.move(5*time.Second - time.Millisecond)
		_, err = a.GetRecords(c.now, it, 1, 0)
		require.Equal(t, throttling, code(err), "docs: calls within the next 5 seconds throw")
		c.move(time.Millisecond)
		page, err = a.GetRecords(c.now, *page.Next, MaxGetRecords, 0)
		require.NoError(t, err)
		require.Len(t, page.Records, 2)
	})
	t.Run("a_stream_is_scaled_10_times_within_24_hours", func(t *testing.T) {
		a, c := account(t, 1)
		for i := range MaxShardUpdates {
			_, err := a.UpdateShardCount(c.now, "s", 1+i%2)
			require.NoError(t, err)
			c.move(time.Hour)
		}
		_, err := a.UpdateShardCount(c.now, "s", 1)
		require.Equal(t, "LimitExceededException", code(err))
		c.move(14 * time.Hour)
		_, err = a.UpdateShardCount(c.now, "s", 1)
		require.NoError(t, err)
	})
	t.Run("an_operation_is_called_so_often_a_second", func(t *testing.T) {
		a, c := account(t, 1)
		for range 5 {
			require.NoError(t, a.Call(c.now, "CreateStream"))
		}
		require.Equal(t, "LimitExceededException", code(a.Call(c.now, "CreateStream")))
		c.move(200 * time.Millisecond)
		require.NoError(t, a.Call(c.now, "CreateStream"))
	})
	t.Run("5_streams_are_CREATING_at_once", func(t *testing.T) {
		a, one := NewAccount("us-east-1", time.Minute), 1
		for i := range MaxCreating {
			require.NoError(t, a.CreateStream(start, Create{Name: fmt.Sprint(i), Shards: &one}))
		}
		require.Equal(t, "LimitExceededException", code(a.CreateStream(start, Create{Name: "more", Shards: &one})))
		require.NoError(t, a.CreateStream(start.Add(time.Minute), Create{Name: "more", Shards: &one}))
	})
	t.Run("an_account_has_20000_open_shards", func(t *testing.T) {
		a, most, one := NewAccount("us-east-1", 0), MaxStreamShards, 1
		require.NoError(t, a.CreateStream(start, Create{Name: "a", Shards: &most}))
		require.NoError(t, a.CreateStream(start, Create{Name: "b", Shards: &most}))
		require.Equal(t, "LimitExceededException", code(a.CreateStream(start, Create{Name: "c", Shards: &one})))
	})
}

func TestTime(t *testing.T) {
	t.Parallel()
	t.Run("an_iterator_expires_after_5_minutes", func(t *testing.T) {
		a, c := account(t, 1)
		it := iterator(t, a, c, 0, "LATEST")
		c.move(IteratorAge)
		page, err := a.GetRecords(c.now, it, 1, 0)
		require.NoError(t, err)
		c.move(time.Millisecond)
		_, err = a.GetRecords(c.now, it, 1, 0)
		require.Equal(t, "ExpiredIteratorException", code(err))
		require.ErrorContains(t, err, "created at time Tue Oct 18 12:00:00 UTC 2022 while right now it is Tue Oct 18 12:05:00 UTC 2022")
		_, err = a.GetRecords(c.now, *page.Next, 1, 0)
		require.NoError(t, err, "the next iterator is new")
	})
	t.Run("records_expire_after_the_retention_period", func(t *testing.T) {
		a, c := account(t, 1)
		require.NoError(t, put(a, c, 10))
		c.move(time.Hour)
		require.NoError(t, put(a, c, 20))
		count := func() int {
			page, err := a.GetRecords(c.now, iterator(t, a, c, 0, "TRIM_HORIZON"), 10, 0)
			require.NoError(t, err)
			return len(page.Records)
		}
		c.move(23 * time.Hour)
		require.Equal(t, 2, count())
		c.move(time.Millisecond)
		require.NoError(t, a.SetRetention(c.now, "s", 48, true))
		require.Equal(t, 1, count(), "what had expired does not come back")
		c.move(24 * time.Hour)
		require.Equal(t, 1, count())
		require.NoError(t, a.SetRetention(c.now, "s", 24, false))
		require.Equal(t, 0, count())
	})
	t.Run("a_closed_shard_expires_with_its_records", func(t *testing.T) {
		a, c := account(t, 1)
		require.NoError(t, a.SplitShard(c.now, "s", ShardID(0), HashKey{Hi: 1 << 63}))
		list := func() int {
			_, shards, _, err := a.ListShards(c.now, Query{Name: "s", Limit: 10})
			require.NoError(t, err)
			return len(shards)
		}
		c.move(24 * time.Hour)
		require.Equal(t, 3, list())
		c.move(time.Millisecond)
		require.Equal(t, 2, list())
		_, err := a.GetShardIterator(c.now, "s", Start{ShardID: ShardID(0), Type: "TRIM_HORIZON"})
		require.Equal(t, "ResourceNotFoundException", code(err))
	})
	t.Run("a_stream_is_in_transition_for_a_while", func(t *testing.T) {
		a, c, two := NewAccount("us-east-1", time.Second), &clock{start}, 2
		require.NoError(t, a.CreateStream(c.now, Create{Name: "s", Shards: &two}))
		status := func() string {
			d, err := a.Describe(c.now, "s")
			if err != nil {
				return code(err)
			}
			return d.Status
		}
		require.Equal(t, Creating, status())
		require.Equal(t, "ResourceNotFoundException", code(put(a, c, 10)))
		c.move(time.Second)
		require.Equal(t, Active, status())
		require.NoError(t, a.MergeShards(c.now, "s", ShardID(0), ShardID(1)))
		require.Equal(t, Updating, status())
		require.NoError(t, put(a, c, 10), "an updating stream can be written")
		require.Equal(t, "ResourceInUseException", code(a.SplitShard(c.now, "s", ShardID(2), HashKey{Hi: 1 << 63})))
		c.move(time.Second)
		require.NoError(t, a.DeleteStream(c.now, "s"))
		require.Equal(t, Deleting, status())
		require.Equal(t, "ResourceInUseException", code(a.CreateStream(c.now, Create{Name: "s", Shards: &two})))
		c.move(time.Second)
		require.Equal(t, "ResourceNotFoundException", status())
	})
	t.Run("a_timestamp_of_the_future_is_InvalidArgument", func(t *testing.T) {
		a, c := account(t, 1)
		future := c.now.Add(time.Second).UnixMilli()
		_, err := a.GetShardIterator(c.now, "s", Start{ShardID: ShardID(0), Type: "AT_TIMESTAMP", Timestamp: &future})
		require.Equal(t, "InvalidArgumentException", code(err))
	})
	t.Run("a_clock_that_goes_back_keeps_sequence_numbers_ascending", func(t *testing.T) {
		a, c := account(t, 1)
		first, err := a.PutRecord(c.now, "s", Put{PartitionKey: "k"}, "")
		require.NoError(t, err)
		c.move(-time.Hour)
		second, err := a.PutRecord(c.now, "s", Put{PartitionKey: "k"}, "")
		require.NoError(t, err)
		require.Less(t, first.SequenceNumber(), second.SequenceNumber())
		require.Equal(t, first.Record.Arrival, second.Record.Arrival)
	})
}

func TestSequence(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := Sequence{
			Created: rapid.Int64Range(0, 1<<36-1).Draw(t, "created"), Position: rapid.Uint64().Draw(t, "position"),
			Time: rapid.Int64Range(0, 1<<36-1).Draw(t, "time"), Shard: rapid.IntRange(0, 1<<31-1).Draw(t, "shard"),
		}
		require.Len(t, s.String(), 56)
		parsed, err := ParseSequence(s.String())
		require.NoError(t, err)
		require.Equal(t, s, parsed)
	})
	for _, text := range []string{"", "0", "-1", "x", "1e9", big.NewInt(7).String()} {
		_, err := ParseSequence(text)
		require.Error(t, err, text)
	}
}

// After any splits, merges and scalings, the open shards cover each hash key once, a child's sequence
// numbers are greater than those of its parents, and reading each shard to its end gives each record
// once, parents before children.
func TestReshard(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, c := account(t, rapid.IntRange(1, 4).Draw(t, "shards"))
		written := map[string]bool{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			open := a.streams["s"].open()
			i := rapid.IntRange(0, len(open)-1).Draw(t, "shard")
			switch rapid.IntRange(0, 3).Draw(t, "operation") {
			case 0:
				key := HashKey{rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")}
				_ = a.SplitShard(c.now, "s", find(open, key).ID(), key) // refused at the edges
			case 1:
				if i+1 < len(open) {
					require.NoError(t, a.MergeShards(c.now, "s", open[i].ID(), open[i+1].ID()))
				}
			case 2:
				_, err := a.UpdateShardCount(c.now, "s", rapid.IntRange((len(open)+1)/2, 2*len(open)).Draw(t, "target"))
				require.Contains(t, []string{"<nil>", "LimitExceededException"}, code(err))
			case 3:
				p, err := a.PutRecord(c.now, "s", Put{PartitionKey: fmt.Sprint(len(written)), Size: 1}, "")
				require.NoError(t, err)
				p.Record.Place.Length = 1
				p.Shard.Add(p.Record)
				require.False(t, written[p.SequenceNumber()])
				written[p.SequenceNumber()] = true
			}
			c.move(time.Second)
			requireCover(t, a.streams["s"].open())
		}
		read := map[string]bool{}
		for _, shard := range a.streams["s"].Shards {
			last := ""
			for _, r := range shard.records {
				require.Greater(t, shard.SequenceNumber(r), last)
				last = shard.SequenceNumber(r)
				read[last] = true
			}
			for _, parent := range []int{shard.Parent, shard.Adjacent} {
				if parent >= 0 {
					require.Greater(t, shard.First(), a.streams["s"].Shards[parent].Last())
				}
			}
			page, err := a.GetRecords(c.now, iterator(t, a, c, shard.Number, "TRIM_HORIZON"), MaxGetRecords, 0)
			require.NoError(t, err)
			require.Equal(t, len(shard.records), len(page.Records))
			require.Equal(t, shard.open(), page.Next != nil)
			require.Equal(t, shard.open(), len(page.Children) == 0)
		}
		require.Equal(t, written, read)
	})
}

func requireCover(t require.TestingT, open []*Shard) {
	require.Equal(t, HashKey{}, open[0].From)
	for i, shard := range open[:len(open)-1] {
		require.Equal(t, shard.To.plus(1), open[i+1].From)
		require.Negative(t, shard.From.Compare(shard.To))
	}
	require.Equal(t, MaxHashKey, open[len(open)-1].To)
}
