package kinesis_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"
)

func streamRules() []rule {
	return []rule{
		{"CreateStream_makes_an_active_stream", func(t require.TestingT, p *peer) {
			name := p.created(t, "new", 2)
			out, err := p.DescribeStreamSummary(ctx(), &api.DescribeStreamSummaryInput{StreamName: &name})
			require.NoError(t, err)
			d := out.StreamDescriptionSummary
			require.Equal(t, name, *d.StreamName)
			require.EqualValues(t, 2, *d.OpenShardCount)
			require.EqualValues(t, 24, *d.RetentionPeriodHours)
			require.True(t, strings.HasSuffix(*d.StreamARN, ":stream/"+name), *d.StreamARN)
			require.WithinDuration(t, time.Now(), *d.StreamCreationTimestamp, time.Minute)
		}},
		{"CreateStream_of_an_existing_one_is_ResourceInUse", func(t require.TestingT, p *peer) {
			name := p.created(t, "twice", 1)
			_, err := p.CreateStream(ctx(), &api.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)})
			refused(t, err, inUse)
		}},
		{"CreateStream_refuses_names_and_shard_counts", func(t require.TestingT, p *peer) {
			for _, name := range []string{"with space", "ümlaut", strings.Repeat("n", 129)} {
				_, err := p.CreateStream(ctx(), &api.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)})
				refused(t, err, unfit, invalid)
			}
			_, err := p.CreateStream(ctx(), &api.CreateStreamInput{StreamName: aws.String(p.prefix + "none"), ShardCount: aws.Int32(0)})
			refused(t, err, unfit, invalid)
		}},
		{"CreateStream_of_10001_shards_is_LimitExceeded", func(t require.TestingT, p *peer) {
			_, err := p.CreateStream(ctx(), &api.CreateStreamInput{StreamName: aws.String(p.prefix + "many"), ShardCount: aws.Int32(10_001)})
			refused(t, err, exceeded)
		}},
		{"DeleteStream_removes_it", func(t require.TestingT, p *peer) {
			name := p.created(t, "gone", 1)
			_, err := p.DeleteStream(ctx(), &api.DeleteStreamInput{StreamName: &name})
			require.NoError(t, err)
			require.True(t, p.isGone(name))
		}},
		{"a_stream_made_again_does_not_know_old_positions", func(t require.TestingT, p *peer) {
			name := p.created(t, "again", 1)
			put := p.put(t, name, "k", "old")
			iterator := p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)
			_, err := p.DeleteStream(ctx(), &api.DeleteStreamInput{StreamName: &name})
			require.NoError(t, err)
			require.True(t, p.isGone(name))
			p.created(t, "again", 1)
			_, err = p.GetShardIterator(ctx(), &api.GetShardIteratorInput{
				StreamName: &name, ShardId: put.ShardId, ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: put.SequenceNumber,
			})
			refused(t, err, invalid)
			require.Empty(t, p.read(t, p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)))
			_, err = p.GetRecords(ctx(), &api.GetRecordsInput{ShardIterator: iterator})
			refused(t, err, missing, invalid)
		}},
		{"an_unknown_stream_is_ResourceNotFound", func(t require.TestingT, p *peer) {
			name := aws.String(p.prefix + "unknown")
			_, err := p.DescribeStream(ctx(), &api.DescribeStreamInput{StreamName: name})
			refused(t, err, missing)
			_, err = p.ListShards(ctx(), &api.ListShardsInput{StreamName: name})
			refused(t, err, missing)
			_, err = p.PutRecord(ctx(), &api.PutRecordInput{StreamName: name, PartitionKey: aws.String("k"), Data: []byte("d")})
			refused(t, err, missing)
			_, err = p.GetShardIterator(ctx(), &api.GetShardIteratorInput{StreamName: name, ShardId: aws.String(shardID(0)), ShardIteratorType: types.ShardIteratorTypeLatest})
			refused(t, err, missing)
			_, err = p.DeleteStream(ctx(), &api.DeleteStreamInput{StreamName: name})
			refused(t, err, missing)
		}},
		{"an_unknown_shard_is_ResourceNotFound", func(t require.TestingT, p *peer) {
			name := p.created(t, "shardless", 1)
			_, err := p.GetShardIterator(ctx(), &api.GetShardIteratorInput{StreamName: &name, ShardId: aws.String(shardID(7)), ShardIteratorType: types.ShardIteratorTypeLatest})
			refused(t, err, missing)
		}},
		{"ListStreams_lists_pages", func(t require.TestingT, p *peer) {
			var want, got []string
			for i := range 3 {
				want = append(want, p.created(t, fmt.Sprint("list-", i), 1))
			}
			in := &api.ListStreamsInput{Limit: aws.Int32(2), ExclusiveStartStreamName: aws.String(p.prefix + "list")}
			for {
				out, err := p.ListStreams(ctx(), in)
				require.NoError(t, err)
				require.LessOrEqual(t, len(out.StreamNames), 2)
				got = append(got, out.StreamNames...)
				if !*out.HasMoreStreams {
					break
				}
				in.ExclusiveStartStreamName = &got[len(got)-1]
			}
			require.Equal(t, want, slices.DeleteFunc(got, func(name string) bool { return !slices.Contains(want, name) }))
		}},
		{"shards_have_equal_ranges_that_cover_all_hash_keys", func(t require.TestingT, p *peer) {
			name := p.created(t, "ranges", 3)
			requireRanges(t, p.shards(t, name), 3)
		}},
		{"ListShards_and_DescribeStream_list_pages", func(t require.TestingT, p *peer) {
			name := p.created(t, "pages", 3)
			first, err := p.ListShards(ctx(), &api.ListShardsInput{StreamName: &name, MaxResults: aws.Int32(2)})
			require.NoError(t, err)
			require.Len(t, first.Shards, 2)
			require.NotNil(t, first.NextToken)
			second, err := p.ListShards(ctx(), &api.ListShardsInput{NextToken: first.NextToken})
			require.NoError(t, err)
			require.Len(t, second.Shards, 1)
			require.Nil(t, second.NextToken)
			described, err := p.DescribeStream(ctx(), &api.DescribeStreamInput{StreamName: &name, Limit: aws.Int32(1), ExclusiveStartShardId: aws.String(shardID(0))})
			require.NoError(t, err)
			require.Len(t, described.StreamDescription.Shards, 1)
			require.Equal(t, shardID(1), *described.StreamDescription.Shards[0].ShardId)
			require.True(t, *described.StreamDescription.HasMoreShards)
		}},
		{"retention_can_be_increased_and_decreased", func(t require.TestingT, p *peer) {
			name := p.created(t, "retention", 1)
			_, err := p.IncreaseStreamRetentionPeriod(ctx(), &api.IncreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: aws.Int32(48)})
			require.NoError(t, err)
			out, err := p.DescribeStream(ctx(), &api.DescribeStreamInput{StreamName: &name})
			require.NoError(t, err)
			require.EqualValues(t, 48, *out.StreamDescription.RetentionPeriodHours)
			_, err = p.IncreaseStreamRetentionPeriod(ctx(), &api.IncreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: aws.Int32(25)})
			refused(t, err, invalid)
			_, err = p.DecreaseStreamRetentionPeriod(ctx(), &api.DecreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: aws.Int32(23)})
			refused(t, err, invalid, unfit)
			_, err = p.IncreaseStreamRetentionPeriod(ctx(), &api.IncreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: aws.Int32(8761)})
			refused(t, err, invalid, unfit)
			_, err = p.DecreaseStreamRetentionPeriod(ctx(), &api.DecreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: aws.Int32(24)})
			require.NoError(t, err)
		}},
		{"tags_are_added_listed_and_removed", func(t require.TestingT, p *peer) {
			name := p.created(t, "tags", 1)
			_, err := p.AddTagsToStream(ctx(), &api.AddTagsToStreamInput{StreamName: &name, Tags: map[string]string{"a": "1", "b": "2", "c": "3"}})
			require.NoError(t, err)
			_, err = p.RemoveTagsFromStream(ctx(), &api.RemoveTagsFromStreamInput{StreamName: &name, TagKeys: []string{"b"}})
			require.NoError(t, err)
			out, err := p.ListTagsForStream(ctx(), &api.ListTagsForStreamInput{StreamName: &name, Limit: aws.Int32(1)})
			require.NoError(t, err)
			require.True(t, *out.HasMoreTags)
			require.Equal(t, "a=1", *out.Tags[0].Key+"="+*out.Tags[0].Value)
			out, err = p.ListTagsForStream(ctx(), &api.ListTagsForStreamInput{StreamName: &name, ExclusiveStartTagKey: aws.String("a")})
			require.NoError(t, err)
			require.Len(t, out.Tags, 1)
			require.Equal(t, "c", *out.Tags[0].Key)
		}},
		{"a_stream_has_at_most_50_tags", func(t require.TestingT, p *peer) {
			name := p.created(t, "tags-50", 1)
			tags := map[string]string{}
			for i := range 50 {
				tags[fmt.Sprint("tag-", i)] = "x"
			}
			_, err := p.AddTagsToStream(ctx(), &api.AddTagsToStreamInput{StreamName: &name, Tags: tags})
			require.NoError(t, err)
			_, err = p.AddTagsToStream(ctx(), &api.AddTagsToStreamInput{StreamName: &name, Tags: map[string]string{"more": "x"}})
			refused(t, err, invalid, exceeded)
		}},
		{"a_stream_can_be_named_by_its_ARN", func(t require.TestingT, p *peer) {
			name := p.created(t, "arn", 1)
			out, err := p.DescribeStreamSummary(ctx(), &api.DescribeStreamSummaryInput{StreamName: &name})
			require.NoError(t, err)
			_, err = p.PutRecord(ctx(), &api.PutRecordInput{StreamARN: out.StreamDescriptionSummary.StreamARN, PartitionKey: aws.String("k"), Data: []byte("by ARN")})
			require.NoError(t, err)
			require.Equal(t, []string{"by ARN"}, p.read(t, p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)))
		}},
	}
}

func (p *peer) isGone(name string) bool {
	for range 100 {
		time.Sleep(60 * time.Millisecond)
		if _, err := p.DescribeStreamSummary(ctx(), &api.DescribeStreamSummaryInput{StreamName: &name}); err != nil && code(err) == missing {
			return true
		}
	}
	return false
}

// requireRanges requires n open shards of equal size that cover all hash keys.
func requireRanges(t require.TestingT, shards []types.Shard, n int) {
	shards = slices.DeleteFunc(slices.Clone(shards), func(s types.Shard) bool { return s.SequenceNumberRange.EndingSequenceNumber != nil })
	require.Len(t, shards, n)
	slices.SortFunc(shards, func(a, b types.Shard) int {
		return number(*a.HashKeyRange.StartingHashKey).Cmp(number(*b.HashKeyRange.StartingHashKey))
	})
	size := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(int64(n)))
	next := big.NewInt(0)
	for _, s := range shards {
		require.Equal(t, next.String(), *s.HashKeyRange.StartingHashKey)
		end := number(*s.HashKeyRange.EndingHashKey)
		next = new(big.Int).Add(end, big.NewInt(1))
		// Docs do not say where the remainder goes.
		off := new(big.Int).Sub(new(big.Int).Sub(next, number(*s.HashKeyRange.StartingHashKey)), size)
		require.LessOrEqual(t, off.CmpAbs(big.NewInt(int64(n))), 0, "%s is off by %s", *s.ShardId, off)
	}
	require.Equal(t, new(big.Int).Lsh(big.NewInt(1), 128).String(), next.String())
}

func number(text string) *big.Int {
	n, _ := new(big.Int).SetString(text, 10)
	return n
}
