package activities

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/pause"
)

// simulation is a workspace on a simulated clock: time passes in pauses and in requests only.
type simulation struct {
	workspace
	now     time.Time
	latency time.Duration // of a request
	queued  time.Time     // until when the run is queued
	ends    time.Time     // when the run ends
	polls   int
}

func (s *simulation) clock() pause.Clock {
	return pause.Clock{
		Time: func() time.Time { return s.now },
		Wait: func(_ context.Context, d time.Duration) error {
			s.now = s.now.Add(d)
			return nil
		},
	}
}

func (s *simulation) GetRun(context.Context, int64) (*jobs.Run, error) {
	s.polls++
	answered := s.now.Add(s.latency / 2) // the state is that of the moment at which Databricks answers
	s.now = s.now.Add(s.latency)
	state := running
	switch {
	case !answered.Before(s.ends):
		state = ended(jobs.RunResultStateSuccess)
	case answered.Before(s.queued):
		state = jobs.RunState{LifeCycleState: jobs.RunLifeCycleStateQueued}
	}
	return &jobs.Run{RunId: 1, State: &state}, nil
}

// wait waits for a run that takes that long, and returns the time from its end to the end of the
// wait, and the number of polls. The wait begins some time after the run.
func (s *simulation) wait(t *testing.T, n *Notebooks, queued, took, since time.Duration) (delay time.Duration, polls int) {
	began := s.now
	s.queued, s.ends, s.polls = began.Add(queued-since), began.Add(queued+took-since), 0
	_, err := wait(n, WaitNotebookInput{Run: NotebookRun{RunID: 1, Notebook: "/Shared/pinflow/clean_pin"}})
	require.NoError(t, err)
	return s.now.Sub(s.ends), s.polls
}

func newSimulation(latency time.Duration) (*simulation, *Notebooks) {
	s := &simulation{now: time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC), latency: latency}
	return s, &Notebooks{Jobs: s, Polls: NewPolls(), clock: s.clock()}
}

// promised is the longest time from the end of a notebook to the start of the next task: 5 % of the
// notebook's time, and 10 s.
func promised(took time.Duration) time.Duration { return min(took/20, 10*time.Second) }

// nextStart is what Temporal takes of that time: the next task starts 20 ms after the wait ends.
const nextStart = 20 * time.Millisecond

// Notebooks of 2 s run on a SQL warehouse or in the embedded stack, and a request takes 10 ms there.
var paceCases = []struct {
	took, latency time.Duration
	most          int // polls, also while the duration is not known yet
}{
	{2 * time.Second, 10 * time.Millisecond, 50},
	{60 * time.Second, 200 * time.Millisecond, 160},
	{10 * time.Minute, 200 * time.Millisecond, 300},
	{3 * time.Hour, 200 * time.Millisecond, 1800},
}

func TestPace(t *testing.T) {
	t.Run("the_end_of_a_notebook_is_noticed_in_time", func(t *testing.T) {
		for _, c := range paceCases {
			for _, learned := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/learned=%t", c.took, learned), func(t *testing.T) {
					t.Parallel()
					rounds := 50
					if c.took > time.Hour {
						rounds = 10
					}
					var delays []time.Duration
					most, all := 0, 0
					s, n := newSimulation(c.latency)
					for phase := range rounds {
						if !learned {
							n.Polls = NewPolls()
						}
						// The durations vary by a tenth, the phase of the polls by half a second.
						took := c.took + time.Duration((rand.Float64()-0.5)*float64(c.took)/10)
						delay, polls := s.wait(t, n, 0, took, time.Duration(phase%100)*5*time.Millisecond)
						require.LessOrEqual(t, delay+nextStart, promised(took), "a notebook of %s", took)
						delays, most, all = append(delays, delay), max(most, polls), all+polls
						s.now = s.now.Add(time.Hour)
					}
					slices.Sort(delays)
					t.Logf("notebook of %s: the end is noticed after %s on average and %s at most, with %d polls on average and %d at most",
						c.took, mean(delays).Round(time.Millisecond), delays[len(delays)-1].Round(time.Millisecond), all/rounds, most)
					require.LessOrEqual(t, most, c.most)
				})
			}
		}
	})

	t.Run("also_if_the_run_was_queued", func(t *testing.T) {
		s, n := newSimulation(200 * time.Millisecond)
		for range 20 {
			delay, _ := s.wait(t, n, time.Hour, time.Minute, 0)
			require.LessOrEqual(t, delay+nextStart, promised(time.Minute), "the hour in the queue is not the notebook's")
		}
	})

	t.Run("also_if_it_ends_earlier_or_later_than_before", func(t *testing.T) {
		for _, took := range []time.Duration{4 * time.Second, time.Minute, 9 * time.Minute, time.Hour} {
			for range 10 {
				s, n := newSimulation(100 * time.Millisecond)
				for range 5 {
					s.wait(t, n, 0, 10*time.Minute, 0)
				}
				delay, _ := s.wait(t, n, 0, took, 0)
				require.LessOrEqual(t, delay+nextStart, promised(took))
			}
		}
	})

	// Two workers wait for hundreds of runs that started together.
	t.Run("stays_within_the_rate_limit_of_databricks", func(t *testing.T) {
		const took, latency = 10 * time.Minute, 200 * time.Millisecond
		for _, runs := range []int{2, 20, 300} {
			began := time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)
			workers := []*Polls{NewPolls(), NewPolls()}
			polls, worst := 0, time.Duration(0)
			perSecond := map[int64]int{} // by half seconds: any second is within two or three of them
			var next events
			for i := range runs {
				p := workers[i%len(workers)]
				heap.Push(&next, event{at: began, polls: p, pace: p.newPace("clean_pin", began)})
			}
			for next.Len() > 0 {
				e := heap.Pop(&next).(event)
				if !e.reserved {
					e.reserved, e.at = true, e.at.Add(e.polls.delay(e.at))
					heap.Push(&next, e)
					continue
				}
				polls++
				perSecond[e.at.UnixMilli()/500]++
				answered := e.at.Add(latency)
				if end := began.Add(took); !e.at.Before(end) {
					worst = max(worst, answered.Sub(end))
					continue
				}
				e.pace.see(&jobs.Run{State: &running}, answered)
				e.reserved, e.at = false, answered.Add(e.pace.next(answered, latency))
				heap.Push(&next, e)
			}
			most := 0
			for half, count := range perSecond {
				most = max(most, count+perSecond[half+1])
			}
			t.Logf("%d runs of %s on two workers: at most %d polls a second, %d a run; the end is noticed after %s at most", runs, took, most, polls/runs, worst.Round(time.Millisecond))
			require.LessOrEqual(t, most, 100, "requests to jobs/runs/get in a second and workspace")
			require.LessOrEqual(t, worst+nextStart, promised(took))
		}
	})

	t.Run("the_last_runs_tell_when_to_look_closely", func(t *testing.T) {
		average := func(learned bool) time.Duration {
			var delays []time.Duration
			s, n := newSimulation(200 * time.Millisecond)
			for range 50 {
				if !learned {
					n.Polls = NewPolls()
				}
				delay, _ := s.wait(t, n, 0, 10*time.Minute+time.Duration(rand.IntN(20_000))*time.Millisecond, 0)
				delays = append(delays, delay)
			}
			return mean(delays)
		}
		require.Less(t, average(true), average(false)/2)
	})
}

// event is the next poll of a run.
type event struct {
	at       time.Time
	polls    *Polls
	pace     *pace
	reserved bool
}

// events is a heap, the earliest first.
type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }

func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func mean(all []time.Duration) (sum time.Duration) {
	for _, each := range all {
		sum += each
	}
	return sum / time.Duration(len(all))
}
