package e2e

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"
)

// kinesisOf returns a client with the settings of a stack.
func kinesisOf(env []string) *kinesis.Client {
	return kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(settingOf(env, "AWS_ENDPOINT_URL_KINESIS")), Region: settingOf(env, "AWS_REGION"),
		Credentials: credentials.NewStaticCredentialsProvider(settingOf(env, "AWS_ACCESS_KEY_ID"), settingOf(env, "AWS_SECRET_ACCESS_KEY"), ""),
	})
}

func TestKinesis(t *testing.T) {
	t.Parallel()
	t.Run("a_killed_stack_keeps_its_records", func(t *testing.T) {
		onOwn.enter(t)
		s := newSystem(t)
		s.startStack()
		client, stream := kinesisOf(s.env), aws.String("streaming-pinflow-pin")
		_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: stream, ShardCount: aws.Int32(1)})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			out, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: stream})
			return err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive
		}, 10*time.Second, 50*time.Millisecond)
		put, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: stream, PartitionKey: aws.String("7528"), Data: []byte(`{"index": 7528}`)})
		require.NoError(t, err)
		s.stack.kill()

		s.startStack()
		client = kinesisOf(s.env)
		iterator, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
			StreamName: stream, ShardId: put.ShardId, ShardIteratorType: types.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: put.SequenceNumber,
		})
		require.NoError(t, err)
		out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator})
		require.NoError(t, err)
		require.Len(t, out.Records, 1)
		require.Equal(t, `{"index": 7528}`, string(out.Records[0].Data))
	})
}
