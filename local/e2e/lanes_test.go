package e2e

// How the tests share the machine. Go runs the parts of tests before t.Parallel one after the
// other, and then the rest side by side:
//
//   - first the two tests that kill a worker in the middle of its work, up to the kill: Temporal
//     needs most of a minute to miss a worker, in which nothing happens;
//   - in that minute, and otherwise alone, the test that measures times, which is
//     TestPriorityOfTheDailyRun;
//   - then all others, as many at once as their lane takes.

import (
	"flag"
	"testing"
	"time"
)

// lane bounds how many tests of one kind run at once.
type lane chan struct{}

// Two cores are busy at these widths; wider lanes only make each test slower.
var (
	// onShared is the lane of the tests that are tenants of the shared stack.
	onShared = make(lane, 3)
	// onOwn is the lane of the tests that start stacks of their own, to kill them or because the
	// program under test starts one.
	onOwn = make(lane, 2)
)

// enter lets the test run beside others, as soon as its lane has a place for it.
func (l lane) enter(t *testing.T) {
	t.Helper()
	t.Parallel()
	asked := time.Now()
	l <- struct{}{}
	t.Cleanup(func() { <-l })
	entered := time.Now()
	t.Cleanup(func() {
		t.Logf("took %.1f s after %.1f s in the queue of its lane", time.Since(entered).Seconds(), entered.Sub(asked).Seconds())
	})
}

// letLanesDecide starts all parallel tests at once, of which each waits for its lane: a test that
// waits for one lane must not keep a test of the other out. An explicit -parallel is obeyed.
func letLanesDecide() error {
	explicit := false
	flag.Visit(func(f *flag.Flag) { explicit = explicit || f.Name == "test.parallel" })
	if explicit {
		return nil
	}
	return flag.Set("test.parallel", "100")
}
