package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pinflow/pinflow/local/reference"
)

// rage posts, runs dates and injects faults for a while.
func (c *chaos) rage(lasts time.Duration) {
	ctx, stop := context.WithTimeout(c.t.Context(), lasts)
	defer stop()
	var all sync.WaitGroup
	for n := range 3 {
		all.Go(func() { c.postAll(ctx, kinds[n]) })
	}
	all.Go(func() { c.runDates(ctx) })
	all.Go(func() { c.backfills(ctx) })
	for _, proxy := range []*chaosTCP{c.kafka, c.temporal} {
		all.Go(func() {
			for ctx.Err() == nil {
				proxy.trouble(c.t, c.faults)
				sleep(ctx, time.Duration(c.faults.between(400, 2500))*time.Millisecond)
			}
		})
	}
	all.Go(func() { c.kills(ctx) })
	all.Wait()
	c.faults.end()
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// kills kills programs, and starts them again.
func (c *chaos) kills(ctx context.Context) {
	again := func(kind string, p **process, start func() *process) {
		(*p).kill()
		c.faults.note(kind)
		sleep(ctx, time.Duration(c.faults.between(0, 1500))*time.Millisecond)
		*p = start()
	}
	for {
		sleep(ctx, time.Duration(c.faults.between(1500, 5000))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		c.programs.Lock()
		switch n := c.faults.between(0, 9); {
		case n < 3:
			again("kill -9 of a worker", &c.worker, func() *process { return c.start("workers") })
		case n < 5:
			again("kill -9 of a worker", &c.second, c.startSecond)
		case n < 8:
			again("kill -9 of the gateway", &c.gate, func() *process { return c.start("gateway") })
		default:
			c.stack.kill()
			c.faults.note("kill -9 of the stack")
			c.launchStack()
		}
		for _, lost := range []struct {
			p     **process
			start func() *process
		}{{&c.worker, func() *process { return c.start("workers") }}, {&c.second, c.startSecond}, {&c.gate, func() *process { return c.start("gateway") }}} {
			if (*lost.p).ended() { // it gave up without its systems, as at its start: whoever runs it starts it again
				*lost.p = lost.start()
			}
		}
		c.programs.Unlock()
	}
}

// postAll posts records of a kind through the gateway and notes which are acknowledged.
func (c *chaos) postAll(ctx context.Context, kind string) {
	client := &http.Client{Timeout: 20 * time.Second}
	lines := reference.Generate(uint64(len(kind)), 20_000)[kind]
	for at := 0; ctx.Err() == nil; {
		var body bytes.Buffer
		body.WriteString(`{"records":[`)
		for i := range 1 + at%5 {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"value":%s}`, jsonOf(lines[(at+i)%len(lines)]))
		}
		body.WriteString(`]}`)
		at += 5
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.setting("PINFLOW_GATEWAY_URL")+"/topics/"+c.topic(kind), &body)
		if err != nil {
			c.t.Error(err)
			return
		}
		request.Header.Set("Content-Type", "application/vnd.kafka.json.v2+json")
		request.Header.Set("x-api-key", strings.Split(c.setting("PINFLOW_API_KEYS"), ",")[0])
		c.acknowledge(client, request, kind)
		sleep(ctx, 40*time.Millisecond)
	}
}

func (c *chaos) acknowledge(client *http.Client, request *http.Request, kind string) {
	response, err := client.Do(request)
	if err != nil {
		return // nothing was acknowledged
	}
	defer drain(response.Body)
	var answer struct {
		Offsets []struct {
			Partition int
			Offset    *int64
		}
	}
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&answer) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts++
	for _, record := range answer.Offsets {
		if record.Offset != nil {
			c.acked[place(c.topic(kind), record.Partition, *record.Offset)]++
		}
	}
}

// command runs a command of the CLI that may fail, as its systems do.
func (c *chaos) command(ctx context.Context, args ...string) (output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "starter"), append(args, "--dag", "pinterest-daily")...)
	cmd.Dir, cmd.Env = c.data, environment(c.direct.env)
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// runDates runs the date of today, which is never over, and random past ones.
func (c *chaos) runDates(ctx context.Context) {
	for ctx.Err() == nil {
		_, _ = c.command(ctx, "run", today())
		sleep(ctx, 3*time.Second)
		_, _ = c.command(ctx, "run", string(c.first.Add(c.faults.between(0, chaosDates-1))))
		sleep(ctx, 2*time.Second)
	}
}

// backfills runs all past dates again and again.
func (c *chaos) backfills(ctx context.Context) {
	for ctx.Err() == nil {
		_, _ = c.command(ctx, "backfill", "--from", string(c.first), "--to", string(c.first.Add(chaosDates-1)), "--parallel", "4", "--reprocess", "all", "--batch", "3")
		sleep(ctx, 8*time.Second)
	}
}
