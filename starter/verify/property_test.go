package verify_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/verify/verifytest"
)

// Whatever lands in whatever order is proven, and whatever is damaged afterwards is found.
func TestVerifyRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorld(t)
		report := verifyAll(t, w)
		require.True(t, report.Proven, "%+v\n%+v", report.Problems, report.Unchecked)
		damage := rapid.SampledFrom(slices.Sorted(maps.Keys(damages))).Draw(t, "damage")
		where := damages[damage](t, w)
		if where == "" {
			t.Skip("nothing to damage in that way")
		}
		report = verifyAll(t, w)
		require.NotEmpty(t, report.Problems, "%s of %s", damage, where)
		places := fmt.Sprintf("%+v", report.Problems)
		require.Contains(t, places, where, damage)
	})
}

// randomWorld lands some dates, over or partial, each once or several times.
func randomWorld(t *rapid.T) *verifytest.World {
	partitions := rapid.IntRange(1, 3).Draw(t, "partitions")
	w := verifytest.New(partitions, "pin")
	hour := 0
	for range rapid.IntRange(1, 8).Draw(t, "times") {
		for partition := range partitions {
			for range rapid.IntRange(0, 9).Draw(t, "records") {
				w.Kafka.Produce(topic, partition, day.Start().Add(time.Duration(hour)*time.Hour), `{"index":1}`)
				if rapid.IntRange(0, 5).Draw(t, "marker") == 0 {
					w.Kafka.Skip(topic, partition)
				}
			}
		}
		hour += rapid.IntRange(0, 30).Draw(t, "hours")
		now := day.Start().Add(time.Duration(hour)*time.Hour + time.Minute)
		today := day.Add(hour / 24)
		for date := day; date <= today; date = date.Add(1) {
			if rapid.Bool().Draw(t, "lands") {
				require.NoError(t, w.Land("pin", date, now))
			}
		}
	}
	end := day.Add(hour / 24)
	for date := day; date <= end; date = date.Add(1) { // what has not landed yet
		require.NoError(t, w.Land("pin", date, end.End().Add(time.Minute)))
	}
	return w
}

// damages damage something and return what a problem has to name; empty if there is nothing.
var damages = map[string]func(*rapid.T, *verifytest.World) string{
	"delete an object": func(t *rapid.T, w *verifytest.World) string {
		return object(t, w, func(key string) { w.Bucket.Delete(key) })
	},
	"cut an object": func(t *rapid.T, w *verifytest.World) string {
		return object(t, w, func(key string) {
			require.NoError(t, w.Edit(key, func(body []byte) []byte { return body[:rapid.IntRange(0, len(body)-1).Draw(t, "length")] }))
		})
	},
	"change a byte": func(t *rapid.T, w *verifytest.World) string {
		return object(t, w, func(key string) {
			require.NoError(t, w.Edit(key, func(body []byte) []byte { body[rapid.IntRange(0, len(body)-1).Draw(t, "byte")] ^= 1; return body }))
		})
	},
	"double a line": func(t *rapid.T, w *verifytest.World) string {
		return object(t, w, func(key string) {
			require.NoError(t, w.Edit(key, lines(func(l [][]byte) [][]byte {
				i := rapid.IntRange(0, len(l)-2).Draw(t, "line")
				return slices.Insert(l, i, l[i])
			})))
		})
	},
	"remove a line": func(t *rapid.T, w *verifytest.World) string {
		return object(t, w, func(key string) {
			require.NoError(t, w.Edit(key, lines(func(l [][]byte) [][]byte {
				i := rapid.IntRange(0, len(l)-2).Draw(t, "line")
				return slices.Delete(l, i, i+1)
			})))
		})
	},
	"copy an object": func(t *rapid.T, w *verifytest.World) string {
		copied := ""
		object(t, w, func(key string) {
			copied = strings.TrimSuffix(key, ".json") + "0.json"
			require.NoError(t, w.Bucket.Put(t.Context(), bucket.PutInput{Key: copied, Body: w.Bucket.Body(key)}))
		})
		return copied
	},
	"move a boundary": func(t *rapid.T, w *verifytest.World) string {
		keys := w.Bucket.Keys("boundaries/")
		key := rapid.SampledFrom(keys).Draw(t, "boundary")
		date := dates.Date(strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], ".json"))
		by := rapid.SampledFrom([]int64{-1, 1, 3}).Draw(t, "by")
		require.NoError(t, w.EditBoundary("pin", date, 0, by))
		return key
	},
	"delete a boundary": func(t *rapid.T, w *verifytest.World) string {
		key := rapid.SampledFrom(w.Bucket.Keys("boundaries/")).Draw(t, "boundary")
		w.Bucket.Delete(key)
		return key
	},
	"delete a manifest": func(t *rapid.T, w *verifytest.World) string {
		key := rapid.SampledFrom(w.Bucket.Keys("manifests/")).Draw(t, "manifest")
		w.Bucket.Delete(key)
		return key
	},
	"change a manifest": func(t *rapid.T, w *verifytest.World) string {
		days, err := w.Stored("pin").Dates(t.Context())
		require.NoError(t, err)
		date := rapid.SampledFrom(days).Draw(t, "date")
		require.NoError(t, w.EditManifest("pin", date, func(m *landing.Manifest) {
			i := rapid.IntRange(0, len(m.Partitions)-1).Draw(t, "partition")
			p := &m.Partitions[i]
			o := &p.Objects[rapid.IntRange(0, len(p.Objects)-1).Draw(t, "object")]
			switch rapid.IntRange(0, 8).Draw(t, "field") {
			case 0:
				m.Records++
			case 1:
				p.Bytes--
			case 2:
				p.Start++
			case 3:
				p.End--
			case 4:
				o.SHA256 = strings.Repeat("0", 64)
			case 5:
				o.End++
			case 7:
				o.Partition++
			case 8:
				o.Start++
			case 6:
				m.Partitions = slices.Delete(m.Partitions, i, i+1)
			}
		}))
		return string(date)
	},
}

// object damages one of the objects that have records, and returns its key.
func object(t *rapid.T, w *verifytest.World, damage func(key string)) string {
	keys := slices.DeleteFunc(w.Bucket.Keys("topics/"), func(key string) bool { return len(w.Bucket.Body(key)) == 0 })
	if len(keys) == 0 {
		return ""
	}
	key := rapid.SampledFrom(keys).Draw(t, "object")
	damage(key)
	return key
}
