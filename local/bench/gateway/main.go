// Command gateway measures posts of one record each: through the gateway, and through other producers
// behind net/http. Kafka, the server and the clients are processes of their own on the same cores.
// docs/benchmarks.md says what each number is. It needs Linux.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	topic      = "pinflow.pin"
	partitions = 3
	apiKey     = "bench"
	// broker is the role of the process that is Kafka. The other roles are the cases.
	broker = "broker"
	// ours is the case of the gateway.
	ours = "gateway"
)

type options struct {
	gateway string // the program
	cases   []string
	clients int
	rounds  int
	seconds int
	out     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch role := os.Getenv("BENCH_ROLE"); role {
	case "":
		err = run(ctx)
	case broker:
		err = serveBroker()
	default:
		err = serveCase(role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	cases := flag.String("cases", ours+",franz-go,writer,bare", "what is measured")
	flag.StringVar(&o.gateway, "gateway", "../bin/gateway", "the gateway's program")
	flag.IntVar(&o.clients, "clients", 128, "connections, each with one post at a time")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each case is measured")
	flag.IntVar(&o.seconds, "seconds", 8, "seconds of a round, after two that do not count")
	flag.StringVar(&o.out, "out", "", "write the table to this file, too")
	flag.Parse()
	o.cases = strings.Split(*cases, ",")
	var all []result
	for round := range o.rounds { // the cases take turns, so that all meet the same machine
		for _, name := range o.cases {
			one, err := measure(ctx, o, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d %s\n", round+1, one)
			all = append(all, one)
		}
	}
	text := table(o, all)
	fmt.Print(text)
	if o.out != "" {
		return os.WriteFile(o.out, []byte(text), 0o644)
	}
	return nil
}

// measure starts Kafka and the server of a case, and posts to it.
func measure(ctx context.Context, o options, name string) (one result, err error) {
	self, err := os.Executable()
	if err != nil {
		return one, err
	}
	kafka, address, err := start(ctx, exec.CommandContext(ctx, self), "BENCH_ROLE="+broker)
	if err != nil {
		return one, err
	}
	defer func() { _ = kafka.stop() }() // it has no state
	program, environment := self, []string{"BENCH_ROLE=" + name, "BENCH_KAFKA=" + address}
	if name == ours {
		listen, err := freeAddress()
		if err != nil {
			return one, err
		}
		program, address = o.gateway, listen
		environment = []string{"PINFLOW_EXIT_WITH_STDIN=1", "PINFLOW_API_KEYS=" + apiKey, "PINFLOW_GATEWAY_ADDRESS=" + listen,
			"PINFLOW_KAFKA_BROKERS=" + strings.TrimPrefix(environment[1], "BENCH_KAFKA="), "PINFLOW_USER_ID=pinflow", "PINFLOW_LOG_LEVEL=info"}
	}
	if program, err = filepath.Abs(program); err != nil {
		return one, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = os.TempDir() // without settings of a .env
	server, printed, err := start(ctx, cmd, environment...)
	if err != nil {
		return one, err
	}
	defer func() { _ = server.stop() }()
	if name != ours {
		address = printed
	}
	if err := waitFor(ctx, "http://"+address+"/healthz"); err != nil {
		return one, err
	}
	one, err = load(ctx, o, name, address, server.pid(), kafka.pid())
	if err == nil {
		err = server.stop()
	}
	return one, err
}

// process is a child. It ends when its standard input does.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) stop() error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	_ = p.stdin.Close()
	return p.cmd.Wait()
}

// start starts a child and returns the first line that it prints, or nothing if it is the gateway,
// which prints nothing.
func start(ctx context.Context, cmd *exec.Cmd, environment ...string) (*process, string, error) {
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stderr = os.Stderr
	if strings.HasPrefix(environment[0], "PINFLOW_") {
		cmd.Stderr = nil // its log
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	p := &process{cmd, stdin}
	if !strings.HasPrefix(environment[0], "BENCH_") {
		return p, "", nil
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, "", errors.Join(err, p.stop())
	}
	return p, strings.TrimSpace(line), ctx.Err()
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func waitFor(ctx context.Context, url string) error {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(url)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s is %s", url, answer.Status)
		}
		if time.Since(began) > 20*time.Second || ctx.Err() != nil {
			return err
		}
	}
}

// serveBroker is Kafka, in memory, until standard input ends.
func serveBroker() error {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return err
	}
	defer cluster.Close()
	fmt.Println(cluster.ListenAddrs()[0])
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// usage is what a process has used.
type usage struct {
	cpu  time.Duration
	peak int // kB
}

// used reads it from /proc.
func used(pid int) (u usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			u.peak, err = strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return u, err
}
