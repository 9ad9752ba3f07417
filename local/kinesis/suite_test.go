package kinesis_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/kinesis"
)

const (
	accessKey = "key"
	secretKey = "secret"
)

// rule is something that AWS documents, and how to check it with AWS's own client.
type rule struct {
	name  string
	check func(t require.TestingT, p *peer)
}

// peer is a server that the rules are checked against.
type peer struct {
	*api.Client
	endpoint string
	prefix   string // of the names of streams, so that rules do not meet
}

func newPeer(endpoint, prefix string) *peer {
	return &peer{Client: newClient(endpoint, accessKey, secretKey), endpoint: endpoint, prefix: prefix}
}

// newClient returns a client that never tries again.
func newClient(endpoint, key, secret string) *api.Client {
	return api.New(api.Options{
		BaseEndpoint: aws.String(endpoint), Region: "us-east-1", Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
		HTTPClient:  &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	})
}

// start starts a server of ours, whose streams are in transition for a moment.
func start(t testing.TB, dir string) *kinesis.Server {
	server, err := kinesis.Start(kinesis.Options{
		Address: "127.0.0.1:0", Dir: dir, Credentials: kinesis.Credentials{AccessKey: accessKey, SecretKey: secretKey},
		Region: "us-east-1", Transition: 30 * time.Millisecond,
	})
	require.NoError(t, err)
	return server
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			server := start(t, t.TempDir())
			t.Cleanup(server.Stop)
			rule.check(t, newPeer("http://"+server.Address(), "pinflow-"))
		})
	}
}

func rules() []rule {
	var all []rule
	for _, part := range [][]rule{streamRules(), putRules(), readRules(), reshardRules(), limitRules(), signatureRules()} {
		all = append(all, part...)
	}
	return all
}

// created creates a stream and waits until it is active.
func (p *peer) created(t require.TestingT, name string, shards int32) string {
	name = p.prefix + name
	_, err := p.CreateStream(ctx(), &api.CreateStreamInput{StreamName: &name, ShardCount: &shards})
	require.NoError(t, err)
	p.waitActive(t, name)
	return name
}

func (p *peer) waitActive(t require.TestingT, name string) {
	for range 200 {
		time.Sleep(60 * time.Millisecond) // 20 calls a second are allowed
		out, err := p.DescribeStreamSummary(ctx(), &api.DescribeStreamSummaryInput{StreamName: &name})
		if err == nil && out.StreamDescriptionSummary.StreamStatus == types.StreamStatusActive {
			return
		}
		if err != nil && code(err) != "LimitExceededException" {
			require.NoError(t, err)
		}
	}
	require.Fail(t, "stream "+name+" is not active after 12 s")
}

func (p *peer) put(t require.TestingT, stream, key, data string) *api.PutRecordOutput {
	out, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &stream, PartitionKey: &key, Data: []byte(data)})
	require.NoError(t, err)
	return out
}

func (p *peer) shards(t require.TestingT, stream string) []types.Shard {
	out, err := p.ListShards(ctx(), &api.ListShardsInput{StreamName: &stream})
	require.NoError(t, err)
	return out.Shards
}

// shard returns the shard with that number.
func (p *peer) shard(t require.TestingT, stream string, number int) types.Shard {
	for _, s := range p.shards(t, stream) {
		if *s.ShardId == shardID(number) {
			return s
		}
	}
	require.Fail(t, shardID(number)+" is not listed")
	return types.Shard{}
}

func (p *peer) iterator(t require.TestingT, stream string, number int, kind types.ShardIteratorType) *string {
	id := shardID(number)
	out, err := p.GetShardIterator(ctx(), &api.GetShardIteratorInput{StreamName: &stream, ShardId: &id, ShardIteratorType: kind})
	require.NoError(t, err)
	return out.ShardIterator
}

func (p *peer) get(t require.TestingT, iterator *string) *api.GetRecordsOutput {
	for range 50 {
		out, err := p.GetRecords(ctx(), &api.GetRecordsInput{ShardIterator: iterator})
		if err == nil {
			return out
		}
		require.Equal(t, "ProvisionedThroughputExceededException", code(err), "%v", err)
		time.Sleep(100 * time.Millisecond)
	}
	require.Fail(t, "throttled for 5 s")
	return nil
}

// drain reads a closed shard to its end, and returns its data and its children.
func (p *peer) drain(t require.TestingT, stream string, number int) (data []string, children []types.ChildShard) {
	iterator := p.iterator(t, stream, number, types.ShardIteratorTypeTrimHorizon)
	for range 8 {
		out := p.get(t, iterator)
		for _, r := range out.Records {
			data = append(data, string(r.Data))
		}
		if iterator = out.NextShardIterator; iterator == nil {
			return data, out.ChildShards
		}
	}
	require.Fail(t, "the closed shard does not end")
	return nil, nil
}

// read returns what is in a shard now.
func (p *peer) read(t require.TestingT, iterator *string) (data []string) {
	for range 4 {
		out := p.get(t, iterator)
		for _, r := range out.Records {
			data = append(data, string(r.Data))
		}
		if iterator = out.NextShardIterator; iterator == nil || *out.MillisBehindLatest == 0 {
			return data
		}
	}
	return data
}

func ctx() context.Context { return context.Background() }

func shardID(number int) string { return fmt.Sprintf("shardId-%012d", number) }

// code returns the code of an error of the API, or its text.
func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func refused(t require.TestingT, err error, codes ...string) {
	require.Error(t, err, "accepted; want %v", codes)
	require.Contains(t, codes, code(err), "%v", err)
}

const (
	invalid  = "InvalidArgumentException"
	unfit    = "ValidationException"
	missing  = "ResourceNotFoundException"
	inUse    = "ResourceInUseException"
	exceeded = "LimitExceededException"
)
