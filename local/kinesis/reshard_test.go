package kinesis_test

import (
	"math/big"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"
)

// half is the hash key in the middle.
var half = new(big.Int).Lsh(big.NewInt(1), 127).String()

func reshardRules() []rule {
	return []rule{
		{"SplitShard_closes_the_parent_and_opens_two_children", func(t require.TestingT, p *peer) {
			name := p.split(t, "split")
			parent, low, high := p.shard(t, name, 0), p.shard(t, name, 1), p.shard(t, name, 2)
			require.NotNil(t, parent.SequenceNumberRange.EndingSequenceNumber)
			for _, child := range []types.Shard{low, high} {
				require.Equal(t, shardID(0), *child.ParentShardId)
				require.Nil(t, child.AdjacentParentShardId)
				require.Nil(t, child.SequenceNumberRange.EndingSequenceNumber)
			}
			require.Equal(t, *parent.HashKeyRange.StartingHashKey, *low.HashKeyRange.StartingHashKey)
			require.Equal(t, half, *high.HashKeyRange.StartingHashKey)
			require.Equal(t, *parent.HashKeyRange.EndingHashKey, *high.HashKeyRange.EndingHashKey)
			summary, err := p.DescribeStreamSummary(ctx(), &api.DescribeStreamSummaryInput{StreamName: &name})
			require.NoError(t, err)
			require.EqualValues(t, 2, *summary.StreamDescriptionSummary.OpenShardCount)
		}},
		{"records_after_a_split_go_to_the_children", func(t require.TestingT, p *peer) {
			name := p.split(t, "split-put")
			for i, key := range []string{"0", half} {
				out, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String(key), Data: []byte("after")})
				require.NoError(t, err)
				require.Equal(t, shardID(i+1), *out.ShardId)
			}
		}},
		{"a_closed_shard_ends_with_a_null_iterator", func(t require.TestingT, p *peer) {
			name := p.split(t, "split-end")
			data, _ := p.drain(t, name, 0)
			require.Equal(t, []string{"before"}, data)
		}},
		{"a_closed_shard_ends_with_its_ChildShards", func(t require.TestingT, p *peer) {
			name := p.split(t, "split-children")
			_, children := p.drain(t, name, 0)
			require.Len(t, children, 2)
			for i, child := range children {
				require.Equal(t, shardID(i+1), *child.ShardId)
				require.Equal(t, []string{shardID(0)}, child.ParentShards)
				require.Equal(t, p.shard(t, name, i+1).HashKeyRange, child.HashKeyRange)
			}
		}},
		{"an_empty_parent_ends_at_once", func(t require.TestingT, p *peer) {
			name := p.created(t, "empty", 1)
			p.splitHalf(t, name)
			data, _ := p.drain(t, name, 0)
			require.Empty(t, data)
		}},
		{"LATEST_of_a_closed_shard_is_its_end", func(t require.TestingT, p *peer) {
			name := p.split(t, "latest-closed")
			out := p.get(t, p.iterator(t, name, 0, types.ShardIteratorTypeLatest))
			require.Empty(t, out.Records)
			require.Nil(t, out.NextShardIterator)
		}},
		{"MergeShards_opens_one_child_of_both", func(t require.TestingT, p *peer) {
			name := p.merge(t, "merge")
			child := p.shard(t, name, 2)
			require.Equal(t, shardID(0), *child.ParentShardId)
			require.Equal(t, shardID(1), *child.AdjacentParentShardId)
			require.Equal(t, "0", *child.HashKeyRange.StartingHashKey)
			require.Equal(t, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)).String(), *child.HashKeyRange.EndingHashKey)
			for i := range 2 {
				require.NotNil(t, p.shard(t, name, i).SequenceNumberRange.EndingSequenceNumber)
			}
		}},
		{"a_merge_moves_no_records", func(t require.TestingT, p *peer) {
			name := p.merge(t, "merge-records")
			p.put(t, name, "k", "after")
			require.Equal(t, []string{"after"}, p.read(t, p.iterator(t, name, 2, types.ShardIteratorTypeTrimHorizon)))
			for i := range 2 {
				require.Equal(t, []string{"before " + shardID(i)}, p.read(t, p.iterator(t, name, i, types.ShardIteratorTypeTrimHorizon)))
			}
		}},
		{"merged_shards_end_with_their_child", func(t require.TestingT, p *peer) {
			name := p.merge(t, "merge-end")
			for i := range 2 {
				data, children := p.drain(t, name, i)
				require.Equal(t, []string{"before " + shardID(i)}, data)
				require.Len(t, children, 1)
				require.Equal(t, []string{shardID(0), shardID(1)}, children[0].ParentShards)
			}
		}},
		{"a_merged_shard_can_be_split", func(t require.TestingT, p *peer) {
			name := p.merge(t, "merge-split")
			_, err := p.SplitShard(ctx(), &api.SplitShardInput{StreamName: &name, ShardToSplit: aws.String(shardID(2)), NewStartingHashKey: &half})
			require.NoError(t, err)
			p.waitActive(t, name)
			require.Equal(t, shardID(2), *p.shard(t, name, 3).ParentShardId)
			requireRanges(t, p.shards(t, name), 2)
		}},
		{"SplitShard_refuses_hash_keys_outside_the_shard", func(t require.TestingT, p *peer) {
			name := p.created(t, "split-outside", 2)
			_, err := p.SplitShard(ctx(), &api.SplitShardInput{StreamName: &name, ShardToSplit: aws.String(shardID(0)), NewStartingHashKey: p.shard(t, name, 1).HashKeyRange.EndingHashKey})
			refused(t, err, invalid, unfit)
		}},
		{"SplitShard_refuses_a_closed_shard", func(t require.TestingT, p *peer) {
			name := p.split(t, "split-closed")
			_, err := p.SplitShard(ctx(), &api.SplitShardInput{StreamName: &name, ShardToSplit: aws.String(shardID(0)), NewStartingHashKey: &half})
			refused(t, err, invalid, inUse, missing)
		}},
		{"MergeShards_refuses_shards_that_are_not_adjacent", func(t require.TestingT, p *peer) {
			name := p.created(t, "merge-apart", 3)
			_, err := p.MergeShards(ctx(), &api.MergeShardsInput{StreamName: &name, ShardToMerge: aws.String(shardID(0)), AdjacentShardToMerge: aws.String(shardID(2))})
			refused(t, err, invalid)
		}},
		{"UpdateShardCount_makes_shards_of_equal_size", func(t require.TestingT, p *peer) {
			name := p.created(t, "scale", 2)
			for _, target := range []int32{4, 3, 2} {
				out, err := p.UpdateShardCount(ctx(), &api.UpdateShardCountInput{StreamName: &name, TargetShardCount: &target, ScalingType: types.ScalingTypeUniformScaling})
				require.NoError(t, err)
				require.Equal(t, target, *out.TargetShardCount)
				p.waitActive(t, name)
				requireRanges(t, p.shards(t, name), int(target))
			}
		}},
		{"UpdateShardCount_at_most_doubles_or_halves", func(t require.TestingT, p *peer) {
			name := p.created(t, "scale-far", 4)
			for _, target := range []int32{9, 1, 0} {
				_, err := p.UpdateShardCount(ctx(), &api.UpdateShardCountInput{StreamName: &name, TargetShardCount: &target, ScalingType: types.ScalingTypeUniformScaling})
				refused(t, err, invalid, exceeded, unfit)
			}
		}},
		{"ShardFilter_AT_LATEST_lists_open_shards", func(t require.TestingT, p *peer) {
			name := p.split(t, "filter")
			out, err := p.ListShards(ctx(), &api.ListShardsInput{StreamName: &name, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest}})
			require.NoError(t, err)
			require.Len(t, out.Shards, 2)
			out, err = p.ListShards(ctx(), &api.ListShardsInput{StreamName: &name, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAfterShardId, ShardId: aws.String(shardID(1))}})
			require.NoError(t, err)
			require.Len(t, out.Shards, 1)
		}},
	}
}

// split creates a stream with a record, and splits its shard.
func (p *peer) split(t require.TestingT, name string) string {
	name = p.created(t, name, 1)
	p.put(t, name, "k", "before")
	p.splitHalf(t, name)
	return name
}

func (p *peer) splitHalf(t require.TestingT, name string) {
	_, err := p.SplitShard(ctx(), &api.SplitShardInput{StreamName: &name, ShardToSplit: aws.String(shardID(0)), NewStartingHashKey: &half})
	require.NoError(t, err)
	p.waitActive(t, name)
}

// merge creates a stream with a record in each of its two shards, and merges them.
func (p *peer) merge(t require.TestingT, name string) string {
	name = p.created(t, name, 2)
	for i, key := range []string{"0", half} {
		_, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String(key), Data: []byte("before " + shardID(i))})
		require.NoError(t, err)
	}
	_, err := p.MergeShards(ctx(), &api.MergeShardsInput{StreamName: &name, ShardToMerge: aws.String(shardID(0)), AdjacentShardToMerge: aws.String(shardID(1))})
	require.NoError(t, err)
	p.waitActive(t, name)
	return name
}
