package kinesis_test

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"math/big"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"
)

const mib = 1 << 20

func putRules() []rule {
	return []rule{
		{"the_MD5_of_the_partition_key_chooses_the_shard", func(t require.TestingT, p *peer) {
			name := p.created(t, "md5", 4)
			shards := p.shards(t, name)
			for i := range 20 {
				key := fmt.Sprint("key-", i)
				sum := md5.Sum([]byte(key))
				require.Equal(t, shardOf(shards, new(big.Int).SetBytes(sum[:])), *p.put(t, name, key, "x").ShardId)
			}
		}},
		{"ExplicitHashKey_overrides_the_partition_key", func(t require.TestingT, p *peer) {
			name := p.created(t, "explicit", 3)
			for _, shard := range p.shards(t, name) {
				for _, key := range []*string{shard.HashKeyRange.StartingHashKey, shard.HashKeyRange.EndingHashKey} {
					out, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), ExplicitHashKey: key, Data: []byte("x")})
					require.NoError(t, err)
					require.Equal(t, *shard.ShardId, *out.ShardId)
				}
			}
			_, err := p.PutRecord(ctx(), &api.PutRecordInput{
				StreamName: &name, PartitionKey: aws.String("k"), ExplicitHashKey: aws.String(new(big.Int).Lsh(big.NewInt(1), 128).String()), Data: []byte("x"),
			})
			refused(t, err, invalid, unfit)
		}},
		{"sequence_numbers_ascend_within_a_shard", func(t require.TestingT, p *peer) {
			name := p.created(t, "sequence", 1)
			last := big.NewInt(0)
			var before *string
			for range 10 {
				out, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), Data: []byte("x"), SequenceNumberForOrdering: before})
				require.NoError(t, err)
				before = out.SequenceNumber
				require.Positive(t, number(*before).Cmp(last))
				last = number(*before)
			}
		}},
		{"sequence_numbers_have_56_digits", func(t require.TestingT, p *peer) { // as AWS's have; not documented
			name := p.created(t, "digits", 1)
			require.Len(t, *p.put(t, name, "k", "x").SequenceNumber, 56)
		}},
		{"PutRecords_answers_for_each_record_in_order", func(t require.TestingT, p *peer) {
			name := p.created(t, "batch", 2)
			var entries []types.PutRecordsRequestEntry
			for i := range 100 {
				entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint(i)), Data: []byte(fmt.Sprint("record ", i))})
			}
			out, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries})
			require.NoError(t, err)
			require.Zero(t, *out.FailedRecordCount)
			require.Len(t, out.Records, 100)
			want := map[string]string{}
			for i, r := range out.Records {
				want[*r.ShardId+" "+*r.SequenceNumber] = fmt.Sprint("record ", i)
			}
			got := map[string]string{}
			for shard := range 2 {
				for _, r := range p.get(t, p.iterator(t, name, shard, types.ShardIteratorTypeTrimHorizon)).Records {
					got[shardID(shard)+" "+*r.SequenceNumber] = string(r.Data)
				}
			}
			require.Equal(t, want, got)
		}},
		{"PutRecords_takes_1_to_500_records", func(t require.TestingT, p *peer) {
			name := p.created(t, "five-hundred", 1)
			entries := make([]types.PutRecordsRequestEntry, 501)
			for i := range entries {
				entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte("x")}
			}
			_, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries})
			refused(t, err, unfit, invalid)
			_, err = p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries[:0]})
			refused(t, err, unfit, invalid)
			_, err = p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries[:500]})
			require.NoError(t, err)
		}},
		{"PutRecords_takes_10_MiB", func(t require.TestingT, p *peer) {
			name := p.created(t, "ten-mib", 12)
			entries := make([]types.PutRecordsRequestEntry, 11)
			for i, shard := range p.shards(t, name)[:11] {
				entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), ExplicitHashKey: shard.HashKeyRange.StartingHashKey, Data: make([]byte, mib-1)}
			}
			_, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries})
			refused(t, err, invalid, unfit)
			out, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries[:10]})
			require.NoError(t, err)
			require.Zero(t, *out.FailedRecordCount)
		}},
		{"a_record_has_up_to_1_MiB_with_its_key", func(t require.TestingT, p *peer) {
			name := p.created(t, "one-mib", 1)
			in := &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), Data: make([]byte, mib)}
			_, err := p.PutRecord(ctx(), in)
			refused(t, err, unfit, invalid)
			in.Data = in.Data[1:]
			_, err = p.PutRecord(ctx(), in)
			require.NoError(t, err)
		}},
		{"a_stream_can_take_records_of_up_to_10_MiB", func(t require.TestingT, p *peer) {
			name := p.prefix + "large"
			_, err := p.CreateStream(ctx(), &api.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1), MaxRecordSizeInKiB: aws.Int32(10240)})
			require.NoError(t, err)
			p.waitActive(t, name)
			data := bytes.Repeat([]byte("large"), mib)
			_, err = p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), Data: data})
			require.NoError(t, err)
			records := p.get(t, p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)).Records
			require.Len(t, records, 1)
			require.True(t, bytes.Equal(data, records[0].Data))
		}},
		{"a_partition_key_has_1_to_256_characters", func(t require.TestingT, p *peer) {
			name := p.created(t, "keys", 1)
			p.put(t, name, strings.Repeat("ж", 256), "x")
			for _, key := range []string{"", strings.Repeat("k", 257)} {
				_, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: &key, Data: []byte("x")})
				refused(t, err, unfit)
			}
		}},
		{"data_is_returned_byte_for_byte", func(t require.TestingT, p *peer) {
			name := p.created(t, "bytes", 1)
			var all []byte
			for i := range 256 {
				all = append(all, byte(i))
			}
			for _, data := range [][]byte{all, {}, []byte("no JSON"), []byte(`{"index": 7}`)} {
				_, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String("k"), Data: data})
				require.NoError(t, err)
			}
			require.Equal(t, []string{string(all), "", "no JSON", `{"index": 7}`}, p.read(t, p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)))
		}},
	}
}

func shardOf(shards []types.Shard, key *big.Int) string {
	for _, s := range shards {
		if number(*s.HashKeyRange.StartingHashKey).Cmp(key) <= 0 && key.Cmp(number(*s.HashKeyRange.EndingHashKey)) <= 0 {
			return *s.ShardId
		}
	}
	return "none"
}
