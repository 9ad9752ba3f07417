//go:build conformance

package kinesis_test

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of docs/conformance-kinesis.md")

const (
	document = "../../docs/conformance-kinesis.md"
	begin    = "<!-- written by make conformance-kinesis UPDATE=1 -->\n"
	end      = "<!-- end -->"
)

// other is a server that others wrote.
type other struct {
	name string
	// args are its program and arguments, in a folder of the installation.
	args   func(port string) []string
	folder string
	env    func(port string) []string
}

func others() []other {
	return []other{
		{
			name: "kinesis-local 0.6.2", folder: "node_modules/kinesis-local", args: func(string) []string { return []string{"node", "main.js"} },
			env: func(port string) []string {
				return []string{"KINESIS_MOCK_PLAIN_PORT=" + port, "KINESIS_MOCK_TLS_PORT=" + free(), "LOG_LEVEL=ERROR", "SHARD_LIMIT=20000"}
			},
		},
		{
			name: "moto 5.2.5", folder: ".", args: func(port string) []string { return []string{"venv/bin/moto_server", "-H", "127.0.0.1", "-p", port} },
			env: func(string) []string { return nil },
		},
	}
}

// free returns a free port.
func free() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (o other) start(t *testing.T, home string) *peer {
	port := free()
	args := o.args(port)
	command := exec.Command(args[0], args[1:]...)
	command.Dir = filepath.Join(home, o.folder)
	if strings.Contains(args[0], "/") {
		command.Path = filepath.Join(home, args[0])
	}
	command.Env = append(os.Environ(), o.env(port)...)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, time.Minute, 50*time.Millisecond, "%s does not listen", o.name)
	return newPeer("http://127.0.0.1:"+port, "pinflow-")
}

// recorder is a TestingT whose failure is an outcome.
type recorder struct{ failure string }

func (r *recorder) Errorf(format string, args ...any) {
	if r.failure == "" {
		r.failure = fmt.Sprintf(format, args...)
	}
}

func (r *recorder) FailNow() { runtime.Goexit() }

// differs returns how a server differs from a rule, or "".
func differs(rule rule, p *peer) string {
	r, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		rule.check(r, p)
	}()
	select {
	case <-done:
		return brief(r.failure)
	case <-time.After(40 * time.Second):
		return "does not end within 40 s"
	}
}

// brief returns the parts of a failure that say what was found.
func brief(failure string) string {
	if failure == "" {
		return ""
	}
	var parts []string
	for _, label := range []string{"Messages:", "actual  :", "Error:"} {
		if _, rest, found := strings.Cut(failure, label); found {
			if _, cause, unexpected := strings.Cut(rest, "Received unexpected error:"); unexpected {
				rest = cause
			}
			line, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
			parts = append(parts, strings.TrimSpace(line))
		}
	}
	text := strings.Join(parts[:min(2, len(parts))], "; ")
	if _, after, found := strings.Cut(text, "api error "); found {
		text = "api error " + after
	}
	text = strings.NewReplacer("|", `\|`, "\t", " ", "\n", " ").Replace(text)
	if runes := []rune(text); len(runes) > 110 {
		text = string(runes[:110]) + "…"
	}
	return text
}

// TestPeers checks the rules with the servers of others. Theirs may differ: the table of the document
// says in what, and fails if it is not up to date.
func TestPeers(t *testing.T) {
	home := os.Getenv("PINFLOW_KINESIS_PEERS")
	require.NotEmpty(t, home, "export PINFLOW_KINESIS_PEERS=$(scripts/install-kinesis-peers)")
	found := map[string][]string{}
	for _, o := range others() {
		p := o.start(t, home)
		for _, rule := range rules() {
			difference := differs(rule, p)
			found[rule.name] = append(found[rule.name], difference)
			t.Logf("%-20s %-60s %s", o.name, rule.name, difference)
		}
	}
	compare(t, table(found))
}

// table has a row for each rule that a server of others does not keep.
func table(found map[string][]string) string {
	var b strings.Builder
	names, kept := []string{"as AWS documents it, and here"}, make([]int, len(others()))
	for _, o := range others() {
		names = append(names, o.name)
	}
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, rule := range rules() {
		cells := slices.Clone(found[rule.name])
		for i, cell := range cells {
			if cell == "" {
				kept[i]++
				cells[i] = "same"
			} else {
				cells[i] = "differs" // how it does depends on the run; the log says it
			}
		}
		if strings.Join(cells, "") != strings.Repeat("same", len(cells)) {
			fmt.Fprintf(&b, "| %s | %s |\n", strings.ReplaceAll(rule.name, "_", " "), strings.Join(cells, " | "))
		}
	}
	fmt.Fprintf(&b, "| rules kept, of %d |", len(rules()))
	for _, n := range kept {
		fmt.Fprintf(&b, " %d |", n)
	}
	return b.String() + "\n"
}

func compare(t *testing.T, got string) {
	content, err := os.ReadFile(document)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(content), begin)
	require.True(t, ok)
	had, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(before+begin+got+end+after), 0o644))
		return
	}
	require.Equal(t, had, got, "a server differs otherwise than the document says: make conformance-kinesis UPDATE=1")
}
