package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pinflow/pinflow/internal/posts"
)

// warmUp is the time whose posts do not count.
const warmUp = 2 * time.Second

// result is one round of one case.
type result struct {
	name                   string
	perSecond              float64
	median, p99, longest   time.Duration
	server, kafka, clients time.Duration // CPU time for each post
	peak                   int           // memory of the server, kB
}

func (r result) String() string {
	return fmt.Sprintf("%-9s %7.0f posts/s, p50 %.1f ms, p99 %.1f ms, longest %.0f ms; CPU µs a post: server %.1f, Kafka %.1f, clients %.1f; %d MB",
		r.name, r.perSecond, ms(r.median), ms(r.p99), ms(r.longest), us(r.server), us(r.kafka), us(r.clients), r.peak/1024)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// request is a post of one record as a client sends it.
func request(key int) []byte {
	body := fmt.Sprintf(`{"records":[{"key":"%d","value":%s}]}`, key, posts.Row("pin", 7528))
	return fmt.Appendf(nil, "POST /topics/%s HTTP/1.1\r\nHost: gateway\r\nx-api-key: %s\r\nContent-Type: application/vnd.kafka.json.v2+json\r\nContent-Length: %d\r\n\r\n%s",
		topic, apiKey, len(body), body)
}

// load posts for the time of a round. Each client has a connection and waits for each response.
func load(ctx context.Context, o options, name, address string, server, kafka int) (one result, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var counting, ended atomic.Bool
	took := make([][]time.Duration, o.clients)
	errs := make([]error, o.clients)
	var clients sync.WaitGroup
	for i := range o.clients {
		clients.Go(func() {
			if took[i], errs[i] = post(address, request(i), &counting, &ended); errs[i] != nil {
				cancel()
			}
		})
	}
	pids := []int{server, kafka, os.Getpid()}
	var before, after [3]usage
	sleep(ctx, warmUp)
	for i, pid := range pids {
		if before[i], err = used(pid); err != nil {
			return one, err
		}
	}
	began := time.Now()
	counting.Store(true)
	sleep(ctx, time.Duration(o.seconds)*time.Second)
	counting.Store(false)
	passed := time.Since(began)
	for i, pid := range pids {
		if after[i], err = used(pid); err != nil {
			return one, err
		}
	}
	ended.Store(true)
	clients.Wait()
	all := slices.Concat(took...)
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		return one, fmt.Errorf("%d posts: %w", len(all), err)
	}
	slices.Sort(all)
	each := func(i int) time.Duration { return (after[i].cpu - before[i].cpu) / time.Duration(len(all)) }
	return result{
		name: name, perSecond: float64(len(all)) / passed.Seconds(), median: all[len(all)/2], p99: all[len(all)*99/100], longest: all[len(all)-1],
		server: each(0), kafka: each(1), clients: each(2), peak: after[0].peak,
	}, nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// post is one client. Go's own would need more CPU than the servers under test.
func post(address string, request []byte, counting, ended *atomic.Bool) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	took = make([]time.Duration, 0, 1<<15)
	for !ended.Load() {
		began := time.Now()
		if _, err := conn.Write(request); err != nil {
			return took, err
		}
		if err := response(reader); err != nil {
			return took, err
		}
		if counting.Load() {
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

var (
	good   = []byte("HTTP/1.1 200 OK\r\n")
	length = []byte("Content-Length: ")
)

// response reads a response, whose record must have an offset.
func response(from *bufio.Reader) error {
	status, err := from.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.Equal(status, good) {
		return fmt.Errorf("the server responds %s", status)
	}
	size := 0
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return err
		}
		if value, ok := bytes.CutPrefix(line, length); ok {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			break
		}
	}
	body, err := from.Peek(size)
	if err != nil || !bytes.Contains(body, []byte(`"error_code":null`)) {
		return errors.Join(err, fmt.Errorf("the record has no offset: %s", body))
	}
	_, err = io.CopyN(io.Discard, from, int64(size))
	return err
}

// table renders the median round of each case as Markdown.
func table(o options, all []result) string {
	var text strings.Builder
	text.WriteString("| behind HTTP | posts/s | p50 | p99 | longest | CPU a post: server | Kafka | clients | memory of the server |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range o.cases {
		var rounds []result
		for _, one := range all {
			if one.name == name {
				rounds = append(rounds, one)
			}
		}
		slices.SortFunc(rounds, func(a, b result) int { return int(a.perSecond - b.perSecond) })
		r := rounds[len(rounds)/2]
		fmt.Fprintf(&text, "| %s | %.0f (%.0f–%.0f) | %.1f ms | %.1f ms | %.0f ms | %.1f µs | %.1f µs | %.1f µs | %d MB |\n", r.name, r.perSecond,
			rounds[0].perSecond, rounds[len(rounds)-1].perSecond, ms(r.median), ms(r.p99), ms(r.longest), us(r.server), us(r.kafka), us(r.clients), r.peak/1024)
	}
	return text.String()
}
