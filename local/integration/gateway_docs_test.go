package integration

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

var (
	console = regexp.MustCompile("(?s)```console\n(.*?)```")
	// example is a command and what it prints.
	example = regexp.MustCompile(`(?m)^\$ ((?:.*\\\n)*.*)\n((?:[^$\n].*\n)*)`)
)

// The examples of the page print what it says.
func TestGatewayDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/gateway-api.md")
	require.NoError(t, err)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic), kfake.SeedTopics(3, "Pinterest_data"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	g := startGateway(t, cluster.ListenAddrs(), "127.0.0.1:0")
	ran := 0
	for _, block := range console.FindAllStringSubmatch(string(page), -1) {
		for _, one := range example.FindAllStringSubmatch(block[1], -1) {
			cmd := exec.CommandContext(deadline(t), "bash", "-c", one[1])
			cmd.Env = append(os.Environ(), "GATEWAY="+g.url, "KEY=key")
			printed, err := cmd.Output()
			require.NoError(t, err, one[1])
			require.Equal(t, strings.TrimRight(one[2], "\n"), strings.TrimRight(string(printed), "\n"), one[1])
			ran++
		}
	}
	require.Equal(t, strings.Count(string(page), "\n$ "), ran)
	posts := readRecords(t, cluster, "Pinterest_data", 1)
	require.Equal(t, "7528", string(posts[0].Key))
}
