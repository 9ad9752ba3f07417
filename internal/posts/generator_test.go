package posts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDraws(t *testing.T) {
	t.Run("are_those_of_the_original", func(t *testing.T) {
		var drawn []int
		for row := range Draws(rows) {
			if drawn = append(drawn, row); len(drawn) == 8 {
				break
			}
		}
		require.Equal(t, []int{7528, 2863, 5730, 8304, 8731, 1313, 4315, 10794}, drawn)
	})

	t.Run("leave_out_missing_rows", func(t *testing.T) {
		var drawn []int
		for row := range Draws(6000) {
			if drawn = append(drawn, row); len(drawn) == 4 {
				break
			}
		}
		require.Equal(t, []int{2863, 5730, 1313, 4315}, drawn)
		for range Draws(0) {
			t.Fatal("a table without rows has nothing to draw")
		}
	})
}

type pin struct {
	Index      int    `json:"index"`
	UniqueID   string `json:"unique_id"`
	Title      string `json:"title"`
	Text       string `json:"description"`
	Poster     string `json:"poster_name"`
	Followers  string `json:"follower_count"`
	Tags       string `json:"tag_list"`
	Media      string `json:"is_image_or_video"`
	Image      string `json:"image_src"`
	Downloaded int    `json:"downloaded"`
	Location   string `json:"save_location"`
	Category   string `json:"category"`
}

func decodeRow[T any](t *testing.T, kind string, row int) T {
	t.Helper()
	var v T
	decoder := json.NewDecoder(strings.NewReader(string(Row(kind, row))))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&v), "%s", Row(kind, row))
	return v
}

// allPins returns the rows of the table of pins.
var allPins = sync.OnceValue(func() []pin {
	pins := make([]pin, rows)
	for row := range pins {
		decoder := json.NewDecoder(bytes.NewReader(Row("pin", row)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&pins[row]); err != nil {
			panic(err)
		}
	}
	return pins
})

// requireShare checks a share, in percent, to four standard deviations.
func requireShare(t *testing.T, what string, want float64, count int) {
	t.Helper()
	require.InDelta(t, want, 100*float64(count)/rows, 4*math.Sqrt(want*(100-want)/rows), what)
}

func TestGenerator(t *testing.T) {
	t.Run("pins_have_the_faults_of_real_ones", func(t *testing.T) {
		counts := map[string]int{}
		patterns := map[string]*regexp.Regexp{"k": regexp.MustCompile(`^\d{1,3}k$`), "plain": regexp.MustCompile(`^\d{1,3}$`), "M": regexp.MustCompile(`^\d{1,2}M$`)}
		count := func(what string, is bool) {
			if is {
				counts[what]++
			}
		}
		ids := map[string]bool{}
		uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
		for row, p := range allPins() {
			require.Equal(t, row, p.Index)
			require.Regexp(t, uuid, p.UniqueID)
			require.False(t, ids[p.UniqueID])
			ids[p.UniqueID] = true
			require.Equal(t, "Local save in /data/"+p.Category, p.Location)
			for what, pattern := range patterns {
				count(what, pattern.MatchString(p.Followers))
			}
			noInfo := p.Followers == noUser
			count("no info", noInfo)
			if noInfo {
				require.Equal(t, []string{noTitle, noUser, noTags, noImage, storyText}, []string{p.Title, p.Poster, p.Tags, p.Image, p.Text})
			} else {
				require.NotEqual(t, noTitle, p.Title)
				require.NotEqual(t, noUser, p.Poster)
			}
			require.Equal(t, p.Media == storyMedia, p.Text == storyText)
			require.Equal(t, p.Image == noImage, p.Downloaded == 0)
			count("story", p.Media == storyMedia)
			count("video", p.Media == "video")
			count("no text", p.Text == noText)
			count("untitled", p.Text == "Untitled" || p.Text == "Art.")
			count("no tags", p.Tags == noTags)
			count("no image", p.Image == noImage)
			count("cut off", strings.HasSuffix(p.Text, "…\u00a0"))
			count("newline", strings.Contains(p.Text, "\n"))
			count("html", strings.Contains(p.Text, "<p>"))
			count("emoji", strings.ContainsAny(p.Title+p.Text, strings.Join(emoji, "")))
			count("cyrillic", slices.Contains(cyrillic, p.Title) || slices.Contains(cyrillic, p.Text))
		}
		for what, share := range map[string]float64{"k": 72.6, "plain": 18.7, "M": 7.7, "no info": 1.05, "story": 7.9, "video": 3, "no text": 1.7,
			"untitled": 0.2, "no tags": 1.6, "no image": 2.7, "cut off": 37} {
			requireShare(t, what, share, counts[what])
		}
		for _, what := range []string{"newline", "html", "emoji", "cyrillic"} {
			require.Positive(t, counts[what], what)
		}
		require.Equal(t, rows, counts["k"]+counts["plain"]+counts["M"]+counts["no info"])
	})

	t.Run("categories_are_consecutive_rows", func(t *testing.T) {
		var blocks []string
		for _, p := range allPins() {
			if len(blocks) == 0 || blocks[len(blocks)-1] != p.Category {
				blocks = append(blocks, p.Category)
			}
		}
		require.Equal(t, []string{"art", "beauty", "christmas", "diy-and-crafts", "education", "event-planning", "finance", "home-decor",
			"mens-fashion", "quotes", "tattoos", "travel", "vehicles"}, blocks)
	})

	t.Run("users_join_before_they_post", func(t *testing.T) {
		seen := map[string]bool{}
		users := map[any]bool{}
		for row := range rows {
			g := decodeRow[struct {
				Ind                 int
				Timestamp, Country  string
				Latitude, Longitude float64
			}](t, "geo", row)
			u := decodeRow[struct {
				Ind        int
				FirstName  string `json:"first_name"`
				LastName   string `json:"last_name"`
				Age        int
				DateJoined string `json:"date_joined"`
			}](t, "user", row)
			require.Equal(t, []int{row, row}, []int{g.Ind, u.Ind})
			for _, moment := range []string{g.Timestamp, u.DateJoined} {
				_, err := time.Parse(time.DateTime, moment)
				require.NoError(t, err)
			}
			require.Less(t, u.DateJoined, g.Timestamp)
			require.GreaterOrEqual(t, u.DateJoined, "2015-10-21")
			require.Less(t, u.DateJoined, "2017-10-19")
			require.Less(t, g.Timestamp, "2022-10-19")
			require.InDelta(t, 40, u.Age, 20)
			require.LessOrEqual(t, max(g.Latitude, -g.Latitude), 90.0)
			require.LessOrEqual(t, max(g.Longitude, -g.Longitude), 180.0)
			seen[g.Country] = true
			u.Ind = 0
			users[u] = true
		}
		require.Len(t, seen, 233)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(countries))), 233)
		require.Less(t, len(users), rows, "some users make several posts")
	})

	t.Run("misplaces_and_wraps_records", func(t *testing.T) {
		const posts = 10_000
		strays, wrapped, distinct := 0, 0, map[string]bool{}
		for _, kind := range Kinds {
			next := 0
			for _, line := range take(t, NewGenerator(), kind, posts) {
				require.Equal(t, kind, line.Kind)
				switch {
				case line.Value[0] == '[':
					wrapped++
				case kind == "user" && strings.HasPrefix(string(line.Value), `{"index"`):
					strays++
					require.Equal(t, next, line.Post)
					continue
				}
				require.Equal(t, next, line.Post)
				next++
				key, several := keyOf(kind, line.Value)
				require.Equal(t, line.Key, key)
				require.False(t, several)
				distinct[line.Key] = true
			}
			require.Equal(t, posts, next)
		}
		require.InDelta(t, 30, strays, 15)
		require.InDelta(t, 3*20, wrapped, 25)
		require.InDelta(t, 0.66, float64(len(distinct))/posts, 0.03, "a third is sent again")
	})

	// The same posts on every machine, with every version of Go: the hash changes only with
	// generatorVersion.
	t.Run("is_the_same_everywhere", func(t *testing.T) {
		hash := sha256.New()
		for _, kind := range Kinds {
			for _, line := range take(t, NewGenerator(), kind, 3000) {
				hash.Write(append(line.Value, '\n'))
			}
		}
		require.Equal(t, "2e6bd70265ea38447332e72b9246fe0605b1edbe39e750cb8f96d9690d9c36b0", hex.EncodeToString(hash.Sum(nil)))
		require.Equal(t, "generator-1-100", NewGenerator().Fingerprint())
	})
}

// take returns the lines of a kind of the first posts.
func take(t *testing.T, s Source, kind string, posts int) []Line {
	t.Helper()
	var lines []Line
	for line, err := range s.Lines(context.Background(), kind) {
		require.NoError(t, err)
		if line.Post >= posts {
			break
		}
		lines = append(lines, line)
	}
	return lines
}

func TestTables(t *testing.T) {
	t.Run("have_all_kinds", func(t *testing.T) {
		require.ElementsMatch(t, Kinds, slices.Collect(maps.Keys(tables)))
	})
}
