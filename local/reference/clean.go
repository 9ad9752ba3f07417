package reference

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options holds the parameters of cleaning.
type Options struct {
	// KeepInvalidFollowers keeps posts with an invalid follower count, without the count
	// (invalid_followers=null).
	KeepInvalidFollowers bool
	// IndexDigits is the maximum number of digits of an index or ind; 0 is the rule of the
	// notebooks, 18.
	IndexDigits int
	// Thousand is what a k after a follower count stands for; "" is the rule of the notebooks, 000.
	Thousand string
}

// row holds a cleaned record: the fields that the answers need, where a nil pointer is NULL, and all
// columns of its table up to logical_date.
type row struct {
	columns   []any
	ind       int64
	followers *int64
	poster    *string
	category  *string
	country   *string
	moment    time.Time // the post's, or when the user joined
	userName  string
	age       int
}

var (
	digits    = regexp.MustCompile(`\A[0-9]+\z`)
	digits3   = regexp.MustCompile(`\A[0-9]{1,3}\z`)
	uniqueID  = regexp.MustCompile(`\A[0-9a-fA-F-]{36}\z`)
	followers = regexp.MustCompile(`\A([0-9]{1,12})([kM]?)\z`)
	number    = regexp.MustCompile(`\A-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\z`)
	moment    = regexp.MustCompile(`\A[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}\z`)
)

// clean returns the row of an element, or the first reason to reject it.
func clean(e element, o Options) (row, string) {
	switch e.kind {
	case "pin":
		return cleanPin(e.fields, o)
	case "geo":
		return cleanGeo(e.fields, o)
	}
	return cleanUser(e.fields, o)
}

// isIndex reports whether a text is an index or ind.
func (o Options) isIndex(text string) bool {
	return digits.MatchString(text) && len(text) <= cmp.Or(o.IndexDigits, 18)
}

func cleanPin(f map[string]string, o Options) (row, string) {
	index, hasIndex := f["index"]
	id, hasID := f["unique_id"]
	switch {
	case !hasIndex || !hasID:
		return row{}, "not a pin record"
	case !o.isIndex(index):
		return row{}, "index"
	case !uniqueID.MatchString(id):
		return row{}, "unique_id"
	}
	r := row{ind: integer(index), poster: known(f, "poster_name", "User Info Error"), category: known(f, "category")}
	match := followers.FindStringSubmatch(f["follower_count"])
	switch {
	case match == nil && !o.KeepInvalidFollowers:
		return row{}, "follower_count"
	case match != nil:
		count := integer(match[1] + map[string]string{"k": cmp.Or(o.Thousand, "000"), "M": "000000"}[match[2]])
		r.followers = &count
	}
	r.columns = []any{
		r.ind, id, known(f, "title", "No Title Data Available"),
		known(f, "description", "No description available Story format", "No description available", "Untitled", "Art."),
		r.followers, r.poster, known(f, "tag_list", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"), known(f, "is_image_or_video"),
		known(f, "image_src", "Image src error."), savedAt(f), r.category,
	}
	return r, ""
}

// savedAt returns the place where the image was saved, without the words before it.
func savedAt(f map[string]string) *string {
	text := strings.TrimPrefix(f["save_location"], "Local save in ")
	return known(map[string]string{"save_location": text}, "save_location")
}

func cleanGeo(f map[string]string, o Options) (row, string) {
	ind, hasInd := f["ind"]
	latitude, hasLatitude := f["latitude"]
	at, isMoment := parseMoment(f["timestamp"])
	switch {
	case !hasInd || !hasLatitude:
		return row{}, "not a geo record"
	case !o.isIndex(ind):
		return row{}, "ind"
	case !isNumber(latitude) || !isNumber(f["longitude"]):
		return row{}, "coordinates"
	case !isMoment:
		return row{}, "timestamp"
	}
	r := row{ind: integer(ind), country: known(f, "country"), moment: at}
	r.columns = []any{r.ind, r.country, []any{double(f["longitude"]), double(latitude)}, at.Format(time.DateTime)}
	return r, ""
}

func cleanUser(f map[string]string, o Options) (row, string) {
	ind, hasInd := f["ind"]
	first, hasFirst := f["first_name"]
	last, hasLast := f["last_name"]
	at, isMoment := parseMoment(f["date_joined"])
	switch {
	case !hasInd || !hasFirst:
		return row{}, "not a user record"
	case !o.isIndex(ind):
		return row{}, "ind"
	case !hasLast:
		return row{}, "user_name"
	case !digits3.MatchString(f["age"]):
		return row{}, "age"
	case !isMoment:
		return row{}, "date_joined"
	}
	r := row{ind: integer(ind), userName: first + " " + last, age: int(integer(f["age"])), moment: at}
	r.columns = []any{r.ind, r.userName, int64(r.age), at.Format(time.DateTime)}
	return r, ""
}

// known returns a text, or nil if it is absent, blank, or one of the values for missing data.
func known(f map[string]string, field string, nothing ...string) *string {
	text, ok := f[field]
	if !ok || blank(text) || slices.Contains(nothing, text) {
		return nil
	}
	return &text
}

func integer(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64) // a regular expression limits it to 18 digits
	return n
}

func isNumber(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return number.MatchString(text) && err == nil && !math.IsInf(f, 0)
}

func double(text string) float64 {
	f, _ := strconv.ParseFloat(text, 64) // isNumber has parsed it
	return f
}

func parseMoment(text string) (time.Time, bool) {
	if !moment.MatchString(text) || strings.HasPrefix(text, "0000") {
		return time.Time{}, false
	}
	at, err := time.Parse("2006-01-02 15:04:05", strings.Replace(text, "T", " ", 1))
	return at, err == nil
}
