package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/posts"
)

// emulation posts through a gateway.
func emulation(url string, n int) posts.EmitInput {
	return posts.EmitInput{Source: posts.NewGenerator(), URL: url, APIKey: "key", Topic: func(kind string) string { return "pinflow." + kind }, Posts: n}
}

func TestEmulation(t *testing.T) {
	t.Run("is_complete_and_in_order_although_the_gateway_is_killed", func(t *testing.T) {
		cluster := broker(t, 3)
		_, err := kafka.NewAdmin(kafka.Connection{Brokers: cluster.ListenAddrs()}).CreateTopics(deadline(t),
			kafka.Topic{Name: "pinflow.geo", Partitions: 3}, kafka.Topic{Name: "pinflow.user", Partitions: 3})
		require.NoError(t, err)
		const lines, keys = 3000, 60
		dir := t.TempDir()
		for _, kind := range posts.Kinds {
			var text bytes.Buffer
			for i := range lines {
				fmt.Fprintf(&text, "{\"index\": %d, \"version\": %d}\n", i%keys, i)
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, kind+".jsonl"), text.Bytes(), 0o600))
		}
		g := startGateway(t, cluster.ListenAddrs(), "127.0.0.1:0")
		in := emulation(g.url, 0)
		in.Source, err = posts.OpenJSONLines(dir)
		require.NoError(t, err)
		in.Batch = 20
		third := make(chan struct{})
		var once sync.Once
		in.Progress = func(p posts.EmitProgress) {
			if p.Done > p.Total/3 {
				once.Do(func() { close(third) })
			}
		}
		emitted := make(chan error, 1)
		go func() {
			_, err := posts.Emit(deadline(t), in)
			emitted <- err
		}()
		<-third
		require.NoError(t, g.Process.Kill())
		_ = g.Wait() // it reports the kill
		startGateway(t, cluster.ListenAddrs(), strings.TrimPrefix(g.url, "http://"))
		require.NoError(t, <-emitted)
		for _, kind := range posts.Kinds {
			requireVersions(t, readTopic(t, cluster, "pinflow."+kind), lines)
		}
	})
}

// requireVersions checks that all versions are there, and that within a key the first copies of
// them count up, and the last ones too: what is repeated is repeated in order.
func requireVersions(t *testing.T, records []*kgo.Record, n int) {
	t.Helper()
	seen := map[int]bool{}
	check := func(records []*kgo.Record, step int) {
		clear(seen)
		last := map[string]int{}
		for _, r := range records {
			var value struct{ Index, Version int }
			require.NoError(t, json.Unmarshal(r.Value, &value))
			require.Equal(t, strconv.Itoa(value.Index), string(r.Key))
			if seen[value.Version] {
				continue
			}
			seen[value.Version] = true
			if before, ok := last[string(r.Key)]; ok {
				require.Positive(t, step*(value.Version-before), "version %d of key %s after %d", value.Version, r.Key, before)
			}
			last[string(r.Key)] = value.Version
		}
		require.Len(t, seen, n)
	}
	check(records, 1)
	slices.Reverse(records)
	check(records, -1)
}

// readTopic reads all records of a topic.
func readTopic(t *testing.T, cluster *kfake.Cluster, name string) []*kgo.Record {
	t.Helper()
	total := 0
	for _, info := range cluster.PartitionInfos(name) {
		total += int(info.HighWatermark)
	}
	return readRecords(t, cluster, name, total)
}

// BenchmarkEmulation posts a day of generated posts; an operation is the whole day.
func BenchmarkEmulation(b *testing.B) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "pinflow.pin", "pinflow.geo", "pinflow.user"))
	require.NoError(b, err)
	defer cluster.Close()
	g := startGateway(b, cluster.ListenAddrs(), "127.0.0.1:0")
	b.ResetTimer()
	for range b.N {
		_, err := posts.Emit(context.Background(), emulation(g.url, 5000))
		require.NoError(b, err)
	}
}
