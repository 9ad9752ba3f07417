package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
)

// hook is a service that receives alarms.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	taken  []Alarm
	status int
	asked  int
}

func newHook(t *testing.T) *hook {
	h := &hook{status: http.StatusOK}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked++
		var alarm Alarm
		if err := json.NewDecoder(r.Body).Decode(&alarm); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(h.status)
		if h.status == http.StatusOK {
			h.taken = append(h.taken, alarm)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// boardOf returns the board of one worker.
func boardOf(objects bucket.Objects, h *hook, owner string, now *time.Time) *Board {
	post := &Hook{URL: h.URL + "/secret", Format: JSON, HTTP: h.Client()}
	return &Board{Objects: objects, Post: post.Post, Owner: owner, Now: func() time.Time { return *now }}
}

var overdueAlarm = Alarm{
	Kind: Overdue, Deployment: "dev", DAG: "pinterest-daily", Date: "2022-10-18", Deadline: time.Date(2022, 10, 19, 6, 0, 0, 0, time.UTC),
	Reason: "no run has ended", UI: "http://ui", Command: "starter run 2022-10-18",
}

const sentAlarm = "alarms/pinterest-daily/2022-10-18/overdue/1-raised.json"

// raisedAlarm is the alarm as the hook gets it.
func raisedAlarm() Alarm {
	a := overdueAlarm
	a.ID, a.State = "dev/pinterest-daily/2022-10-18/overdue/1", Raised
	a.Text = "pinterest-daily of 2022-10-18 is overdue: no run has ended. Next: `starter run 2022-10-18`."
	return a
}

func TestBoard(t *testing.T) {
	t.Run("are_posted_once_over_workers_and_restarts", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		raised, err := boardOf(objects, h, "a", &now).Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, PostedNow, raised)
		require.Equal(t, []Alarm{raisedAlarm()}, h.taken)
		for _, owner := range []string{"a", "b", "a after a restart"} {
			now = now.Add(time.Hour)
			raised, err = boardOf(objects, h, owner, &now).Raise(t.Context(), overdueAlarm)
			require.NoError(t, err)
			require.Equal(t, PostedBefore, raised)
		}
		require.Equal(t, 1, h.asked)

		other := overdueAlarm
		other.Date = "2022-10-19"
		raised, err = boardOf(objects, h, "b", &now).Raise(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, PostedNow, raised, "another date is another alarm")
	})

	t.Run("are_posted_again_until_the_hook_accepts_them", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b := boardOf(objects, h, "a", &now), boardOf(objects, h, "b", &now)
		h.status = http.StatusInternalServerError
		for range 10 { // longer than a claim holds: it is renewed with each try
			_, err := a.Raise(t.Context(), overdueAlarm)
			require.ErrorContains(t, err, "500")
			require.NotContains(t, err.Error(), "secret")
			raised, err := b.Raise(t.Context(), overdueAlarm)
			require.NoError(t, err)
			require.Equal(t, PostedElsewhere, raised, "one worker tries")
			now = now.Add(time.Minute)
		}
		h.status = http.StatusOK
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, PostedNow, raised)
		require.Len(t, h.taken, 1)
		require.Len(t, objects.Keys("alarms/"), 2, "one claim, however many tries")
	})

	t.Run("are_taken_over_from_a_dead_worker", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b, c := boardOf(objects, h, "a", &now), boardOf(objects, h, "b", &now), boardOf(objects, h, "c", &now)
		h.status = http.StatusServiceUnavailable
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.Error(t, err) // and a has gone
		h.status = http.StatusOK
		now = now.Add(lease - time.Second)
		raised, err := b.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, PostedElsewhere, raised)
		now = now.Add(time.Second)
		raised, err = b.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, PostedNow, raised)
		for _, late := range []*Board{a, c} {
			raised, err = late.Raise(t.Context(), overdueAlarm)
			require.NoError(t, err)
			require.Equal(t, PostedBefore, raised)
		}
		require.Len(t, h.taken, 1)
	})

	t.Run("a_restarted_worker_leaves_its_alarm_to_the_new_owner", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b := boardOf(objects, h, "a", &now), boardOf(objects, h, "b", &now)
		h.status = http.StatusServiceUnavailable
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.Error(t, err)
		now = now.Add(lease)
		_, err = b.Raise(t.Context(), overdueAlarm)
		require.Error(t, err)
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, PostedElsewhere, raised)
	})

	t.Run("are_not_lost_when_workers_race", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		var all sync.WaitGroup
		results := make([]Posted, 8)
		for i := range results {
			all.Go(func() {
				results[i], _ = boardOf(objects, h, string(rune('a'+i)), &now).Raise(t.Context(), overdueAlarm)
			})
		}
		all.Wait()
		require.Len(t, h.taken, 1)
		require.Contains(t, results, PostedNow)
		require.Contains(t, objects.Keys("alarms/"), sentAlarm)
	})

	// Both workers list the claims before either writes its own: the conditional write decides.
	t.Run("only_one_of_two_claims_is_written", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b := boardOf(objects, h, "a", &now), boardOf(objects, h, "b", &now)
		var byB Posted
		once := false
		objects.FailBefore(func(request, key string) error {
			if request == "put" && strings.Contains(key, "claim") && !once {
				once = true
				var err error
				byB, err = b.Raise(t.Context(), overdueAlarm)
				require.NoError(t, err)
			}
			return nil
		})
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, []Posted{PostedNow, PostedElsewhere}, []Posted{byB, raised})
		require.Len(t, h.taken, 1)
	})

	// The worst case: the hook accepted the alarm, and the object that records it was not written.
	t.Run("are_posted_twice_at_worst", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		broken := errors.New("the bucket does not answer")
		objects.FailBefore(func(request, key string) error {
			if request == "put" && key == sentAlarm {
				return broken
			}
			return nil
		})
		a := boardOf(objects, h, "a", &now)
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.ErrorIs(t, err, broken)
		objects.FailBefore(nil)
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, PostedNow, raised)
		require.Len(t, h.taken, 2)
	})

	t.Run("errors_do_not_contain_the_url_of_the_hook", func(t *testing.T) {
		h, now := newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a := boardOf(buckettest.New(), h, "a", &now)
		h.Close()
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.ErrorContains(t, err, "cannot reach the hook")
		require.ErrorContains(t, err, "127.0.0.1")
		require.NotContains(t, err.Error(), "secret")
	})
}

// events are what the hook has accepted, in their order: the id of the alarm and its state.
func (h *hook) events() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for _, a := range h.taken {
		all = append(all, a.ID+" "+string(a.State))
	}
	return all
}

func TestResolve(t *testing.T) {
	now := time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
	held := Alarm{Kind: Held, Deployment: "dev", DAG: "daily", Date: "2022-10-18", RunID: "r1", Reason: "clean_pin waits for a decision", UI: "http://ui", Command: "starter task"}

	t.Run("is_posted_once_and_only_after_the_alarm", func(t *testing.T) {
		objects, h := buckettest.New(), newHook(t)
		a, b := boardOf(objects, h, "a", &now), boardOf(objects, h, "b", &now)
		unresolved, err := a.Unresolved(t.Context(), "daily")
		require.NoError(t, err)
		require.Empty(t, unresolved)
		_, err = a.Raise(t.Context(), held)
		require.NoError(t, err)
		for _, board := range []*Board{b, a, b} {
			unresolved, err = board.Unresolved(t.Context(), "daily")
			require.NoError(t, err)
			for _, known := range unresolved {
				_, err = board.Resolve(t.Context(), known, "a decision was made")
				require.NoError(t, err)
			}
		}
		require.Equal(t, []string{"dev/daily/2022-10-18/held-r1/1 raised", "dev/daily/2022-10-18/held-r1/1 resolved"}, h.events())
		require.Equal(t, "Resolved: daily of 2022-10-18 was held: a decision was made.", h.taken[1].Text)
		require.Empty(t, h.taken[1].Command)
	})

	t.Run("is_posted_for_an_alarm_whose_worker_is_stopped_in_mid_post", func(t *testing.T) {
		objects, h := buckettest.New(), newHook(t)
		a := boardOf(objects, h, "a", &now)
		ctx, stop := context.WithCancel(t.Context())
		post := a.Post
		a.Post = func(ctx context.Context, alarm Alarm) error {
			defer stop()
			return post(ctx, alarm)
		}
		posted, err := a.Raise(ctx, held)
		require.NoError(t, err)
		require.Equal(t, PostedNow, posted)
		b := boardOf(objects, h, "b", &now)
		unresolved, err := b.Unresolved(t.Context(), "daily")
		require.NoError(t, err)
		require.Len(t, unresolved, 1)
		posted, err = b.Resolve(t.Context(), unresolved[0], "a decision was made")
		require.NoError(t, err)
		require.Equal(t, PostedNow, posted, "at once")
	})

	// The hook may have the alarm: it learns that it is resolved, when the claim is over.
	t.Run("is_posted_for_an_alarm_that_may_have_been_raised", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), now
		a, b := boardOf(objects, h, "a", &now), boardOf(objects, h, "b", &now)
		post := a.Post
		a.Post = func(ctx context.Context, alarm Alarm) error {
			require.NoError(t, post(ctx, alarm))
			return errors.New("the worker dies here")
		}
		_, err := a.Raise(t.Context(), held)
		require.Error(t, err)
		for _, want := range []Posted{PostedElsewhere, PostedNow} {
			unresolved, err := b.Unresolved(t.Context(), "daily")
			require.NoError(t, err)
			require.Len(t, unresolved, 1)
			posted, err := b.Resolve(t.Context(), unresolved[0], "a decision was made")
			require.NoError(t, err)
			require.Equal(t, want, posted)
			now = now.Add(lease)
		}
		require.Equal(t, []string{"dev/daily/2022-10-18/held-r1/1 raised", "dev/daily/2022-10-18/held-r1/1 resolved"}, h.events())
		unresolved, err := b.Unresolved(t.Context(), "daily")
		require.NoError(t, err)
		require.Empty(t, unresolved)
	})

	t.Run("lets_the_alarm_be_raised_again_but_not_at_once", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), now
		a := boardOf(objects, h, "a", &now)
		for range 2 {
			_, err := a.Raise(t.Context(), held)
			require.NoError(t, err)
			unresolved, err := a.Unresolved(t.Context(), "daily")
			require.NoError(t, err)
			require.Len(t, unresolved, 1)
			_, err = a.Resolve(t.Context(), unresolved[0], "")
			require.NoError(t, err)
			late, err := boardOf(objects, h, "b", &now).Raise(t.Context(), held)
			require.NoError(t, err)
			require.Equal(t, PostedElsewhere, late, "b looked before a resolved it")
			now = now.Add(lease)
		}
		require.Equal(t, []string{
			"dev/daily/2022-10-18/held-r1/1 raised", "dev/daily/2022-10-18/held-r1/1 resolved", "dev/daily/2022-10-18/held-r1/2 raised", "dev/daily/2022-10-18/held-r1/2 resolved",
		}, h.events())
	})
}

// cause is the cause of an alarm in the simulation: it begins, and may end.
type cause struct {
	alarm Alarm
	ends  int // the minute in which it ends
}

// TestBoardProperty plays workers that check each minute over the same causes, all at once: at each
// request any of them may go on. Their clocks differ, the hook rejects some posts, and the bucket fails
// some requests. Workers die, at any request, and others take their place.
func TestBoardProperty(t *testing.T) {
	const minutes, trouble = 50, 35 // the last minutes are without trouble, so that all is posted
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		objects, start := buckettest.New(), time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)
		var causes []cause
		for i := range 1 + random.IntN(3) {
			kind := Kinds()[random.IntN(len(Kinds()))]
			causes = append(causes, cause{Alarm{Kind: kind, Deployment: "dev", DAG: "daily", Date: dates.Date("2022-10-01").Add(i), RunID: fmt.Sprint("r", i), Reason: "why"}, 1 + random.IntN(trouble)})
		}
		var accepted []string
		unrecorded := map[string]int{} // how often a message was accepted and not recorded
		workers := make([]*simulated, 1+random.IntN(4))
		for minute := range minutes {
			var checks []func(yield func())
			for i, w := range workers {
				if w == nil || w.dead || minute < trouble && random.IntN(8) == 0 { // a new process
					w = &simulated{Objects: objects, random: random}
					skew := time.Duration(random.IntN(20)-10) * time.Second
					w.board = &Board{Objects: w, Owner: fmt.Sprint(i, "-", minute), Now: func() time.Time { return start.Add(time.Duration(w.minute)*time.Minute + skew) }}
					w.board.Post = func(_ context.Context, a Alarm) error {
						if err := w.step(); err != nil {
							return err
						}
						message := a.Cause() + " " + string(a.State)
						accepted = append(accepted, message)
						w.unrecorded = func() { unrecorded[message]++ }
						return nil
					}
					workers[i] = w
				}
				w.minute, w.trouble = minute, minute < trouble
				checks = append(checks, func(yield func()) {
					w.yield = yield
					w.check(t, causes)
				})
			}
			interleave(random, checks)
		}
		for _, c := range causes {
			var got []string
			for _, event := range accepted {
				if name, state, _ := strings.Cut(event, " "); name == c.alarm.Cause() {
					got = append(got, state)
				}
			}
			about := fmt.Sprintf("seed %d: %s, which ended in minute %d, with %d workers: %s", seed, c.alarm.Cause(), c.ends, len(workers), got)
			for _, state := range []State{Raised, Resolved} {
				message := c.alarm.Cause() + " " + string(state)
				times := len(slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s != string(state) }))
				require.LessOrEqual(t, times, 1+unrecorded[message], about)
			}
			require.True(t, slices.IsSorted(got), about) // raised, then resolved
			if len(got) > 0 {
				require.Equal(t, "resolved", got[len(got)-1], about)
			}
		}
	}
}

// simulated is a worker. Each of its requests, to the bucket and to the hook, lets others go on first,
// and may fail or be its last.
type simulated struct {
	bucket.Objects
	board   *Board
	random  *rand.Rand
	yield   func()
	minute  int
	trouble bool
	dead    bool
	// unrecorded counts the message that the hook has accepted and whose record comes next; nil if
	// none does.
	unrecorded func()
	// mu lets one request of the worker be made at a time.
	mu sync.Mutex
}

// check raises what lasts and resolves what is over, as the deadman of a worker.
func (w *simulated) check(t *testing.T, causes []cause) {
	for _, c := range causes {
		if w.minute < c.ends {
			_, _ = w.board.Raise(t.Context(), c.alarm)
		}
	}
	unresolved, _ := w.board.Unresolved(t.Context(), "daily")
	for _, known := range unresolved {
		if c := causes[slices.IndexFunc(causes, func(c cause) bool { return c.alarm.Cause() == known.Cause() })]; w.minute >= c.ends {
			_, _ = w.board.Resolve(t.Context(), known, "over")
		}
	}
}

func (w *simulated) step() (err error) {
	w.yield()
	if count := w.unrecorded; count != nil {
		w.unrecorded = nil
		defer func() {
			if err != nil {
				count()
			}
		}()
	}
	switch {
	case w.dead:
		return errors.New("the worker is dead")
	case w.trouble && w.random.IntN(60) == 0:
		w.dead = true
		return errors.New("the worker dies here")
	case w.trouble && w.random.IntN(10) == 0:
		return errors.New("no answer")
	}
	return nil
}

func (w *simulated) Get(ctx context.Context, key string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.step(); err != nil {
		return nil, err
	}
	return w.Objects.Get(ctx, key)
}

func (w *simulated) Put(ctx context.Context, in bucket.PutInput) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.step(); err != nil {
		return err
	}
	return w.Objects.Put(ctx, in)
}

func (w *simulated) List(ctx context.Context, in bucket.ListInput) ([]bucket.Object, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.step(); err != nil {
		return nil, err
	}
	return w.Objects.List(ctx, in)
}

// interleave runs the functions one at a time. When one yields, a random one goes on.
func interleave(random *rand.Rand, all []func(yield func())) {
	type player struct {
		resume chan struct{}
		ended  chan bool
	}
	var players []player
	for _, f := range all {
		p := player{make(chan struct{}), make(chan bool)}
		players = append(players, p)
		go func() {
			<-p.resume
			f(func() {
				p.ended <- false
				<-p.resume
			})
			p.ended <- true
		}()
	}
	for len(players) > 0 {
		i := random.IntN(len(players))
		players[i].resume <- struct{}{}
		if <-players[i].ended {
			players = slices.Delete(players, i, i+1)
		}
	}
}
