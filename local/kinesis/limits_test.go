package kinesis_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"
)

const throttled = "ProvisionedThroughputExceededException"

func limitRules() []rule {
	return []rule{
		{"a_shard_takes_1000_records_a_second", func(t require.TestingT, p *peer) {
			name := p.created(t, "thousand", 1)
			var failed, accepted int
			begun := time.Now()
			for range 5 {
				entries := make([]types.PutRecordsRequestEntry, 500)
				for i := range entries {
					entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: []byte("x")}
				}
				out, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries})
				require.NoError(t, err)
				for _, r := range out.Records {
					if r.ErrorCode == nil {
						require.NotEmpty(t, *r.SequenceNumber)
						accepted++
						continue
					}
					require.Equal(t, throttled, *r.ErrorCode)
					require.Contains(t, *r.ErrorMessage, shardID(0))
					require.Nil(t, r.SequenceNumber)
					failed++
				}
				require.LessOrEqual(t, accepted, int(1000*(1+time.Since(begun).Seconds()))+1)
			}
			require.Positive(t, failed)
			require.GreaterOrEqual(t, accepted, 1000)
		}},
		{"a_shard_takes_1_MiB_a_second", func(t require.TestingT, p *peer) {
			name := p.created(t, "mib", 1)
			entries := make([]types.PutRecordsRequestEntry, 3)
			for i := range entries {
				entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("k"), Data: make([]byte, mib-1)}
			}
			out, err := p.PutRecords(ctx(), &api.PutRecordsInput{StreamName: &name, Records: entries})
			require.NoError(t, err)
			require.EqualValues(t, 2, *out.FailedRecordCount)
			require.Nil(t, out.Records[0].ErrorCode)
			require.Equal(t, throttled, *out.Records[2].ErrorCode)
		}},
		{"a_shard_is_read_5_times_a_second", func(t require.TestingT, p *peer) {
			name := p.created(t, "five-reads", 1)
			iterator := p.iterator(t, name, 0, types.ShardIteratorTypeTrimHorizon)
			burst(t, throttled, func() error {
				_, err := p.GetRecords(ctx(), &api.GetRecordsInput{ShardIterator: iterator})
				return err
			})
		}},
		{"a_shard_gives_5_iterators_a_second", func(t require.TestingT, p *peer) {
			name := p.created(t, "five-iterators", 1)
			burst(t, throttled, func() error {
				_, err := p.GetShardIterator(ctx(), &api.GetShardIteratorInput{StreamName: &name, ShardId: aws.String(shardID(0)), ShardIteratorType: types.ShardIteratorTypeLatest})
				return err
			})
		}},
		{"streams_are_listed_5_times_a_second", func(t require.TestingT, p *peer) {
			burst(t, exceeded, func() error {
				_, err := p.ListStreams(ctx(), &api.ListStreamsInput{})
				return err
			})
		}},
	}
}

// burst calls so often at once that a limit of 5 calls a second refuses some, but not the first 5.
func burst(t require.TestingT, refusal string, call func() error) {
	const calls = 40
	results := make(chan error, calls)
	for range calls {
		go func() { results <- call() }()
	}
	accepted := 0
	for range calls {
		if err := <-results; err != nil {
			refused(t, err, refusal)
		} else {
			accepted++
		}
	}
	require.GreaterOrEqual(t, accepted, 5)
	require.Less(t, accepted, calls, "none refused")
}

func signatureRules() []rule {
	return []rule{
		{"a_wrong_secret_is_refused", func(t require.TestingT, p *peer) {
			_, err := newClient(p.endpoint, accessKey, "wrong").ListStreams(ctx(), &api.ListStreamsInput{})
			refused(t, err, "InvalidSignatureException")
		}},
		{"an_unknown_access_key_is_refused", func(t require.TestingT, p *peer) {
			_, err := newClient(p.endpoint, "unknown", secretKey).ListStreams(ctx(), &api.ListStreamsInput{})
			refused(t, err, "UnrecognizedClientException")
		}},
		{"a_request_without_a_signature_is_refused", func(t require.TestingT, p *peer) {
			require.Equal(t, "400 MissingAuthenticationTokenException", p.raw(t, "ListStreams", "{}"))
		}},
		{"an_unknown_operation_is_refused", func(t require.TestingT, p *peer) {
			require.Contains(t, p.raw(t, "Nonsense", "{}"), "UnknownOperationException")
		}},
	}
}

// raw posts a request without a signature, and returns the status and the code of the error.
func (p *peer) raw(t require.TestingT, operation, body string) string {
	request, err := http.NewRequest(http.MethodPost, p.endpoint, bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for _, code := range []string{"MissingAuthenticationTokenException", "UnknownOperationException", "SerializationException"} {
		if bytes.Contains(content, []byte(code)) {
			return fmt.Sprint(response.StatusCode, " ", code)
		}
	}
	return fmt.Sprint(response.StatusCode, " ", string(content))
}
