package activities

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"golang.org/x/time/rate"
)

// The next task is to start at most 5 % of a notebook's time, and at most 10 s, after the notebook
// has ended. The pause between two polls is shorter than that: a request and the start of the next
// task take time as well.
const (
	pollFraction = 0.03 // of the time that the notebook has taken so far
	minPoll      = 50 * time.Millisecond
	maxWaitPoll  = 8 * time.Second
	// minPause is the shortest pause, however long the request before it took.
	minPause = 20 * time.Millisecond
	// pollJitter shortens pauses by up to that part, so that runs that started together are not
	// polled together.
	pollJitter = 0.2
)

const (
	// learnedRuns is how many of the last runs of a notebook tell when the next one ends.
	learnedRuns = 5
	// closePolls is how many polls are spread over the time at which the end is expected: from the
	// shortest of the last runs to the longest, and a part more on both sides.
	closePolls  = 60
	closeMargin = 0.05
)

const (
	// pollsPerSecond and pollBurst limit the polls of one worker: two workers make at most 100 in
	// any second, the limit of Databricks for jobs/runs/get in a workspace
	// (https://docs.databricks.com/aws/en/resources/limits#api-rate-limits). Beyond the limit it
	// answers 429, which costs a poll and no more. 300 runs that are minutes old need 40 a second.
	pollsPerSecond = 40
	pollBurst      = 10
)

// Polls spaces the polls of all runs that a worker waits for, and remembers how long notebooks took.
// What it has learned is lost with the worker: it brings polls closer to the expected end, and what
// is promised holds without it. A nil Polls neither limits nor learns.
type Polls struct {
	limiter *rate.Limiter
	mu      sync.Mutex
	took    map[string][]time.Duration // the last runs, by the path of the notebook
}

// NewPolls returns the Polls of a worker.
func NewPolls() *Polls {
	return &Polls{limiter: rate.NewLimiter(pollsPerSecond, pollBurst), took: map[string][]time.Duration{}}
}

// delay reserves a poll and returns how long it has to wait.
func (p *Polls) delay(now time.Time) time.Duration {
	if p == nil {
		return 0
	}
	return p.limiter.ReserveN(now, 1).DelayFrom(now)
}

// learn remembers how long a notebook took.
func (p *Polls) learn(notebook string, took time.Duration) {
	if p == nil || notebook == "" || took <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := append(p.took[notebook], took)
	p.took[notebook] = last[max(0, len(last)-learnedRuns):]
}

// expected returns between which times after its start a notebook is likely to end; zero if no run
// of it is known.
func (p *Polls) expected(notebook string) (from, to time.Duration) {
	if p == nil {
		return 0, 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.took[notebook]
	if len(last) == 0 {
		return 0, 0
	}
	return time.Duration(float64(slices.Min(last)) * (1 - closeMargin)), time.Duration(float64(slices.Max(last)) * (1 + closeMargin))
}

// pace spaces the polls of one run.
type pace struct {
	// since is when the run entered its state: time in the queue is not the notebook's.
	since    time.Time
	state    string
	ran      time.Duration // how long it has been running, as far as the polls know
	from, to time.Duration // when its end is expected, after since
}

// newPace returns the pace of a run that has been waited for since a time, by earlier attempts, too.
func (p *Polls) newPace(notebook string, since time.Time) *pace {
	from, to := p.expected(notebook)
	return &pace{since: since, from: from, to: to}
}

// see notes the state of the run.
func (p *pace) see(run *jobs.Run, now time.Time) {
	if p.state == stateRunning {
		p.ran = now.Sub(p.since)
	}
	state := lifeCycle(run)
	if p.state != "" && state != p.state {
		p.since = now
	}
	p.state = state
}

// next returns the pause before the next poll, after one that took that long.
func (p *pace) next(now time.Time, took time.Duration) time.Duration {
	elapsed := max(now.Sub(p.since)-took, 0) // when the last poll was made
	gap := min(max(time.Duration(pollFraction*float64(elapsed)), minPoll), maxWaitPoll)
	switch {
	case elapsed < p.from:
		gap = min(gap, max(p.from-elapsed, minPoll))
	case elapsed < p.to:
		gap = min(gap, max((p.to-p.from)/closePolls, minPoll))
	}
	gap = time.Duration(float64(gap) * (1 - pollJitter*rand.Float64()))
	return max(gap-took, minPause)
}

// stateRunning is the state of a run whose notebook works, in either version of the API.
const stateRunning = string(jobs.RunLifeCycleStateRunning)

// lifeCycle returns the state of a run: State, or Status for newer versions of the API.
func lifeCycle(run *jobs.Run) string {
	switch {
	case run.State != nil && run.State.LifeCycleState != "":
		return string(run.State.LifeCycleState)
	case run.Status != nil:
		return string(run.Status.State)
	}
	return ""
}
