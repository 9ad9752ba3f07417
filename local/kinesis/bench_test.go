package kinesis_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"
)

// The data of a post, about.
var post = make([]byte, 1000)

// benchmarked returns a server with a stream, whose shards let through what a benchmark sends.
func benchmarked(b *testing.B, shards int32) (*peer, string) {
	server := start(b, b.TempDir())
	b.Cleanup(server.Stop)
	p := newPeer("http://"+server.Address(), "bench-")
	return p, p.created(b, "stream", shards)
}

// BenchmarkPutRecord puts single records from as many clients at once. It has enough shards.
func BenchmarkPutRecord(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			p, name := benchmarked(b, 64)
			var n, refused atomic.Int64
			b.SetParallelism(clients / 2) // two processors
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					key := fmt.Sprint(n.Add(1))
					if _, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: &key, Data: post}); err != nil {
						refused.Add(1)
					}
				}
			})
			require.Zero(b, refused.Load())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkPutRecords puts 500 records of 1,000 bytes at once.
func BenchmarkPutRecords(b *testing.B) {
	p, name := benchmarked(b, 256)
	entries := make([]types.PutRecordsRequestEntry, 500)
	failed := 0
	for i := 0; b.Loop(); i++ {
		for j := range entries {
			entries[j] = types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint(i, "-", j)), Data: post}
		}
		out, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries})
		require.NoError(b, err)
		failed += int(*out.FailedRecordCount)
	}
	require.Zero(b, failed)
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkGetRecords reads a shard of 1,000 records of 1,000 bytes, twice a second at most: the time
// that the limit of 2 MiB a second costs does not count.
func BenchmarkGetRecords(b *testing.B) {
	p, name := benchmarked(b, 1)
	entries := make([]types.PutRecordsRequestEntry, 500)
	for i := range entries {
		entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: post}
	}
	for range 2 {
		_, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries})
		require.NoError(b, err)
	}
	iterator := p.iterator(b, name, 0, types.ShardIteratorTypeTrimHorizon)
	read := 0
	for b.Loop() {
		b.StopTimer()
		time.Sleep(500 * time.Millisecond)
		b.StartTimer()
		out, err := p.GetRecords(ctx(), &api.GetRecordsInput{ShardIterator: iterator})
		require.NoError(b, err)
		read += len(out.Records)
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "records/s")
}
