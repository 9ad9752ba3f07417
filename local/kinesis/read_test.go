package kinesis_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"
)

func readRules() []rule {
	return []rule{
		{"each_iterator_type_starts_where_it_says", func(t require.TestingT, p *peer) {
			name := p.created(t, "iterators", 1)
			var puts []*api.PutRecordOutput
			for _, data := range []string{"a", "b"} {
				puts = append(puts, p.put(t, name, "k", data))
			}
			time.Sleep(20 * time.Millisecond)
			between := time.Now()
			time.Sleep(20 * time.Millisecond)
			p.put(t, name, "k", "c")
			latest := p.iterator(t, name, 0, types.ShardIteratorTypeLatest)
			p.put(t, name, "k", "d")
			require.Equal(t, []string{"d"}, p.read(t, latest))
			for _, c := range []struct {
				in   api.GetShardIteratorInput
				want []string
			}{
				{api.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeTrimHorizon}, []string{"a", "b", "c", "d"}},
				{api.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: puts[1].SequenceNumber}, []string{"b", "c", "d"}},
				{api.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber, StartingSequenceNumber: puts[1].SequenceNumber}, []string{"c", "d"}},
				{api.GetShardIteratorInput{ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: &between}, []string{"c", "d"}},
			} {
				c.in.StreamName, c.in.ShardId = &name, aws.String(shardID(0))
				out, err := p.GetShardIterator(ctx(), &c.in)
				require.NoError(t, err)
				require.Equal(t, c.want, p.read(t, out.ShardIterator), "%s", c.in.ShardIteratorType)
			}
		}},
		{"AFTER_SEQUENCE_NUMBER_takes_the_start_of_the_shard", func(t require.TestingT, p *peer) {
			name := p.created(t, "from-start", 1)
			p.put(t, name, "k", "a")
			out, err := p.GetShardIterator(ctx(), &api.GetShardIteratorInput{
				StreamName: &name, ShardId: aws.String(shardID(0)), ShardIteratorType: types.ShardIteratorTypeAfterSequenceNumber,
				StartingSequenceNumber: p.shards(t, name)[0].SequenceNumberRange.StartingSequenceNumber,
			})
			require.NoError(t, err)
			require.Equal(t, []string{"a"}, p.read(t, out.ShardIterator))
		}},
		{"a_sequence_number_of_another_shard_is_InvalidArgument", func(t require.TestingT, p *peer) {
			name := p.created(t, "foreign", 2)
			other := map[string]string{shardID(0): shardID(1), shardID(1): shardID(0)}
			put := p.put(t, name, "k", "a")
			_, err := p.GetShardIterator(ctx(), &api.GetShardIteratorInput{
				StreamName: &name, ShardId: aws.String(other[*put.ShardId]), ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: put.SequenceNumber,
			})
			refused(t, err, invalid)
			_, err = p.GetShardIterator(ctx(), &api.GetShardIteratorInput{
				StreamName: &name, ShardId: put.ShardId, ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: aws.String("not a number"),
			})
			refused(t, err, invalid, unfit)
		}},
		{"an_iterator_type_needs_its_argument", func(t require.TestingT, p *peer) {
			name := p.created(t, "arguments", 1)
			_, err := p.GetShardIterator(ctx(), &api.GetShardIteratorInput{StreamName: &name, ShardId: aws.String(shardID(0)), ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber})
			refused(t, err, invalid, unfit)
			_, err = p.GetShardIterator(ctx(), &api.GetShardIteratorInput{StreamName: &name, ShardId: aws.String(shardID(0)), ShardIteratorType: "NEWEST"})
			refused(t, err, unfit, invalid)
		}},
		{"a_made_up_iterator_is_InvalidArgument", func(t require.TestingT, p *peer) {
			_, err := p.GetRecords(ctx(), &api.GetRecordsInput{ShardIterator: aws.String("AAAAAAAAAAE=made-up")})
			refused(t, err, invalid)
		}},
		{"an_iterator_can_be_used_again", func(t require.TestingT, p *peer) {
			name := p.created(t, "twice-read", 1)
			p.put(t, name, "k", "a")
			iterator := p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)
			require.Equal(t, []string{"a"}, p.read(t, iterator))
			require.Equal(t, []string{"a"}, p.read(t, iterator))
		}},
		{"GetRecords_returns_up_to_Limit_and_reads_on", func(t require.TestingT, p *peer) {
			name := p.created(t, "limit", 1)
			for i := range 5 {
				p.put(t, name, "k", fmt.Sprint(i))
			}
			time.Sleep(5 * time.Millisecond)
			iterator := p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)
			first, err := p.GetRecords(ctx(), &api.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(3)})
			require.NoError(t, err)
			require.Len(t, first.Records, 3)
			require.Positive(t, *first.MillisBehindLatest)
			second := p.get(t, first.NextShardIterator)
			require.Len(t, second.Records, 2)
			require.Equal(t, "3", string(second.Records[0].Data))
			require.Zero(t, *second.MillisBehindLatest)
			require.WithinDuration(t, time.Now(), *second.Records[1].ApproximateArrivalTimestamp, time.Minute)
			require.Equal(t, "k", *second.Records[1].PartitionKey)
			third := p.get(t, second.NextShardIterator)
			require.Empty(t, third.Records)
			p.put(t, name, "k", "5")
			require.Equal(t, []string{"5"}, p.read(t, third.NextShardIterator))
		}},
		{"a_Limit_above_10000_is_InvalidArgument", func(t require.TestingT, p *peer) {
			name := p.created(t, "above", 1)
			_, err := p.GetRecords(ctx(), &api.GetRecordsInput{ShardIterator: p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon), Limit: aws.Int32(10_001)})
			refused(t, err, invalid, unfit)
		}},
	}
}
