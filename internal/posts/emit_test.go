package posts

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// gateway is a gateway that keeps the acknowledged records. trouble, if not nil, can respond to the
// n-th request of a topic itself.
type gateway struct {
	*httptest.Server
	mu       sync.Mutex
	records  map[string][]received
	requests map[string]int
	trouble  func(topic string, request int, w http.ResponseWriter, write func(records int)) (handled bool)
}

type received struct {
	Key   *string
	Value json.RawMessage
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{records: map[string][]received{}, requests: map[string]int{}}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

// restart closes all connections and serves again at the same address.
func (g *gateway) restart(t *testing.T) {
	t.Helper()
	address := g.Listener.Addr().String()
	g.Close()
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	g.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(g.serve)}}
	g.Start()
	t.Cleanup(g.Close)
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	var body struct{ Records []received }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	topic := strings.TrimPrefix(r.URL.Path, "/topics/")
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests[topic]++
	write := func(records int) { g.records[topic] = append(g.records[topic], body.Records[:records]...) }
	if g.trouble != nil && g.trouble(topic, g.requests[topic], w, write) {
		return
	}
	if r.Header.Get("x-api-key") != "key" || r.Header.Get("Content-Type") != "application/vnd.kafka.json.v2+json" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	write(len(body.Records))
	entries := make([]string, len(body.Records))
	for i := range entries {
		entries[i] = `{"partition":0,"offset":1,"error_code":null,"error":null}`
	}
	fmt.Fprintf(w, `{"offsets":[%s]}`, strings.Join(entries, ","))
}

// values returns the values of a topic without those that were sent again: the last copies, in
// order.
func (g *gateway) values(topic string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := map[string]int{}
	for i, r := range g.records[topic] {
		last[string(r.Value)] = i
	}
	var values []string
	for i, r := range g.records[topic] {
		if last[string(r.Value)] == i {
			values = append(values, string(r.Value))
		}
	}
	return values
}

func (g *gateway) input(s Source) EmitInput {
	return EmitInput{Source: s, URL: g.URL, APIKey: "key", Topic: func(kind string) string { return "u." + kind }}
}

// counted is a source of n posts with increasing values.
type counted int

func (c counted) Name() string        { return "counted" }
func (c counted) Fingerprint() string { return fmt.Sprint(int(c)) }
func (c counted) Posts() int          { return int(c) }
func (c counted) Lines(_ context.Context, kind string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		for i := range int(c) {
			if !yield(Line{Kind: kind, Post: i, Key: fmt.Sprint(i % 7), Value: json.RawMessage(fmt.Sprint(i)), Origin: fmt.Sprintf("line %d", i)}, nil) {
				return
			}
		}
	}
}

func upTo(n int) []string {
	var values []string
	for i := range n {
		values = append(values, fmt.Sprint(i))
	}
	return values
}

func TestEmit(t *testing.T) {
	t.Run("sends_each_topic_in_order", func(t *testing.T) {
		g := newGateway(t)
		in := g.input(counted(1234))
		in.Batch = 100
		var last EmitProgress
		in.Progress = func(p EmitProgress) {
			require.GreaterOrEqual(t, p.Done, last.Done)
			last = p
		}
		result, err := Emit(context.Background(), in)
		require.NoError(t, err)
		for _, kind := range Kinds {
			require.Equal(t, upTo(1234), g.values("u."+kind))
			require.Len(t, g.records["u."+kind], 1234)
			require.Equal(t, 13, g.requests["u."+kind])
			require.Equal(t, "3", *g.records["u."+kind][3].Key)
		}
		require.Equal(t, EmitProgress{Done: 3 * 1234, Total: 3 * 1234}, last)
		require.Equal(t, 3*1234, result.Total())
		require.Equal(t, 1234, result.Posts)
		require.Zero(t, result.Retries)
	})

	t.Run("sends_the_given_number_of_posts", func(t *testing.T) {
		g := newGateway(t)
		in := g.input(NewGenerator())
		_, err := Emit(context.Background(), in)
		require.ErrorContains(t, err, "set the number of posts", "the generator does not end")
		in.Posts = 50
		result, err := Emit(context.Background(), in)
		require.NoError(t, err)
		require.Equal(t, 50, result.Records["geo"])
		in.Source, in.Posts = counted(10), 50
		result, err = Emit(context.Background(), in)
		require.NoError(t, err)
		require.Equal(t, 10, result.Records["geo"], "there are no more")
	})

	t.Run("loses_and_reorders_nothing_despite_faults", func(t *testing.T) {
		g := newGateway(t)
		g.trouble = func(_ string, request int, w http.ResponseWriter, write func(int)) bool {
			entry := `{"partition":0,"offset":1,"error_code":null,"error":null}`
			failed := `{"partition":null,"offset":null,"error_code":50003,"error":"no leader"}`
			switch request % 8 {
			case 1:
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
			case 2:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 3: // written, but the connection breaks before the answer
				write(5)
				panic(http.ErrAbortHandler)
			case 4: // broken in the middle of the answer
				write(5)
				w.Header().Set("Content-Length", "1000")
				fmt.Fprint(w, `{"offsets":[`)
			case 5: // the third of five is not taken, those behind it are
				write(5)
				fmt.Fprintf(w, `{"offsets":[%s,%s,%s,%s,%s]}`, entry, entry, failed, entry, entry)
			case 6:
				w.WriteHeader(http.StatusInternalServerError)
			default:
				return false
			}
			return true
		}
		in := g.input(counted(20)) // requests of five, and of three after a part was taken
		in.Batch = 5
		result, err := Emit(context.Background(), in)
		require.NoError(t, err)
		for _, kind := range Kinds {
			require.Equal(t, upTo(20), g.values("u."+kind))
		}
		require.Positive(t, result.Retries)
		require.Equal(t, 60, result.Total(), "a record counts once")
	})

	t.Run("does_not_retry_what_cannot_succeed", func(t *testing.T) {
		for name, c := range map[string]struct {
			status int
			body   string
			says   string
		}{
			"unknown topic":  {404, `{"error_code":40401,"message":"Topic not found."}`, "starter setup"},
			"no API key":     {401, `{"error_code":401,"message":"Missing API key"}`, "PINFLOW_API_KEYS"},
			"bad request":    {400, `{"error_code":400,"message":"The body is not JSON"}`, "not JSON"},
			"refused record": {200, `{"offsets":[{"error_code":50002,"error":"too large for the topic"}]}`, "line 0: Kafka rejected the record"},
			"not a gateway":  {200, `<html>`, "not a produce response"},
			"other server":   {405, `<html>`, "405"},
		} {
			t.Run(name, func(t *testing.T) {
				g := newGateway(t)
				g.trouble = func(_ string, _ int, w http.ResponseWriter, _ func(int)) bool {
					w.WriteHeader(c.status)
					fmt.Fprint(w, c.body)
					return true
				}
				_, err := Emit(context.Background(), g.input(counted(1)))
				require.ErrorContains(t, err, c.says)
				require.NotErrorIs(t, err, ErrUnreachable)
			})
		}
	})

	t.Run("reports_an_unreachable_gateway", func(t *testing.T) {
		g := newGateway(t)
		in := g.input(counted(5))
		g.Close()
		in.Patience = time.Nanosecond
		_, err := Emit(context.Background(), in)
		require.ErrorIs(t, err, ErrUnreachable)
		require.ErrorContains(t, err, "last error")
	})

	t.Run("names_the_line_that_is_too_large", func(t *testing.T) {
		s, err := OpenJSONLines(files(t, "1\n\""+strings.Repeat("x", 2<<20)+"\"\n", "1\n", "1\n"))
		require.NoError(t, err)
		_, err = Emit(context.Background(), newGateway(t).input(s))
		require.ErrorContains(t, err, "pin.jsonl line 2 has")
	})

	t.Run("a_record_of_several_posts_is_sent_alone", func(t *testing.T) {
		g := newGateway(t)
		s, err := OpenJSONLines(files(t, `{"index":1}`+"\n"+`{"index":2}`+"\n"+`[{"index":1},{"index":2}]`+"\n"+`{"index":1,"v":2}`, "1", "1"))
		require.NoError(t, err)
		_, err = Emit(context.Background(), g.input(s))
		require.NoError(t, err)
		require.Equal(t, 3, g.requests["u.pin"])
		require.Equal(t, 1, g.requests["u.geo"])
		require.Len(t, g.records["u.pin"], 4)
	})

	t.Run("keeps_the_rate", func(t *testing.T) {
		e := emitter{in: EmitInput{Rate: 40}, began: time.Unix(1000, 0)}
		require.Equal(t, e.began, e.due(0))
		require.Equal(t, e.began, e.due(1), "posts of one tick go together")
		require.Equal(t, e.began.Add(50*time.Millisecond), e.due(2))
		require.Equal(t, e.began.Add(time.Second), e.due(40))

		// The clock is that of the bubble: a busy machine would send late posts together.
		synctest.Test(t, func(t *testing.T) {
			g := &gateway{records: map[string][]received{}, requests: map[string]int{}}
			in := EmitInput{Source: counted(9), URL: "http://gateway", APIKey: "key", Topic: func(kind string) string { return "u." + kind }}
			in.Client, in.Rate = &http.Client{Transport: direct{g}}, 40
			began := time.Now()
			_, err := Emit(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, 200*time.Millisecond, time.Since(began), "the ninth post is due then")
			require.Equal(t, 5, g.requests["u.pin"])
			require.Equal(t, upTo(9), g.values("u.pin"))
		})
	})
}

// direct is a transport to a gateway without a network.
type direct struct{ *gateway }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.serve(w, r)
	return w.Result(), nil
}
