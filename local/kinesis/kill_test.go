package kinesis_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/kinesis"
)

// serveDir makes the test binary serve that directory instead of running tests.
const serveDir = "PINFLOW_TEST_KINESIS_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(serveDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	server, err := kinesis.Start(kinesis.Options{
		Address: "127.0.0.1:0", Dir: dir, Credentials: kinesis.Credentials{AccessKey: accessKey, SecretKey: secretKey}, Region: "us-east-1",
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(server.Address())
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the test ends
}

// serve serves a directory in a process of its own.
func serve(t *testing.T, dir string) (*exec.Cmd, *peer) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), serveDir+"="+dir)
	_, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	command.Stderr = os.Stderr
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill() })
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return command, newPeer("http://"+address[:len(address)-1], "kill-")
}

func TestKill(t *testing.T) {
	t.Parallel()
	t.Run("kill_9_loses_nothing_that_was_acknowledged", func(t *testing.T) {
		dir := t.TempDir()
		acknowledged := map[string]string{} // data by shard and sequence number
		var mu sync.Mutex
		for round := range 4 {
			process, p := serve(t, dir)
			name := "kill-stream"
			if round == 0 {
				p.created(t, "stream", 4)
			}
			var group sync.WaitGroup
			for writer := range 8 {
				group.Go(func() {
					for i := 0; ; i++ {
						data := fmt.Sprint(round, " ", writer, " ", i)
						out, err := p.PutRecord(ctx(), &api.PutRecordInput{StreamName: &name, PartitionKey: aws.String(data), Data: []byte(data)})
						if err != nil {
							if code(err) == throttled {
								time.Sleep(time.Millisecond)
								continue
							}
							return // killed
						}
						mu.Lock()
						acknowledged[*out.ShardId+" "+*out.SequenceNumber] = data
						mu.Unlock()
					}
				})
			}
			time.Sleep(150 * time.Millisecond)
			require.NoError(t, process.Process.Kill())
			group.Wait()
			_ = process.Wait()
		}
		_, p := serve(t, dir)
		got := map[string]string{}
		times := map[string]int{}
		for number := range 4 {
			iterator := p.iterator(t, "kill-stream", number, types.ShardIteratorTypeTrimHorizon)
			for {
				out := p.get(t, iterator)
				for _, r := range out.Records {
					got[shardID(number)+" "+*r.SequenceNumber] = string(r.Data)
					times[string(r.Data)]++
				}
				if iterator = out.NextShardIterator; *out.MillisBehindLatest == 0 {
					break
				}
			}
		}
		require.Greater(t, len(acknowledged), 100)
		for id, data := range acknowledged {
			require.Equal(t, data, got[id])
			require.Equal(t, 1, times[data])
		}
		t.Logf("%d acknowledged, %d on disk, 4 kills", len(acknowledged), len(got))
	})
}
