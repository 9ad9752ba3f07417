package reference

import (
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
}

// row holds the fields of a cleaned record that the answers need. A nil pointer is NULL.
type row struct {
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
	digits18  = regexp.MustCompile(`\A[0-9]{1,18}\z`)
	digits3   = regexp.MustCompile(`\A[0-9]{1,3}\z`)
	uniqueID  = regexp.MustCompile(`\A[0-9a-fA-F-]{36}\z`)
	followers = regexp.MustCompile(`\A([0-9]{1,12})([kM]?)\z`)
	number    = regexp.MustCompile(`\A-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\z`)
	moment    = regexp.MustCompile(`\A[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}\z`)
)

// clean returns the row of an element, or the first reason to reject it.
func clean(e element, o Options) (row, string) {
	switch e.Kind {
	case "pin":
		return cleanPin(e.fields, o)
	case "geo":
		return cleanGeo(e.fields)
	}
	return cleanUser(e.fields)
}

func cleanPin(f map[string]string, o Options) (row, string) {
	index, hasIndex := f["index"]
	id, hasID := f["unique_id"]
	switch {
	case !hasIndex || !hasID:
		return row{}, "not a pin record"
	case !digits18.MatchString(index):
		return row{}, "index"
	case !uniqueID.MatchString(id):
		return row{}, "unique_id"
	}
	r := row{ind: integer(index), poster: known(f, "poster_name", "User Info Error"), category: known(f, "category")}
	match := followers.FindStringSubmatch(f["follower_count"])
	if match == nil {
		if !o.KeepInvalidFollowers {
			return row{}, "follower_count"
		}
		return r, ""
	}
	count := integer(match[1]) * map[string]int64{"": 1, "k": 1_000, "M": 1_000_000}[match[2]]
	r.followers = &count
	return r, ""
}

func cleanGeo(f map[string]string) (row, string) {
	ind, hasInd := f["ind"]
	latitude, hasLatitude := f["latitude"]
	at, isMoment := parseMoment(f["timestamp"])
	switch {
	case !hasInd || !hasLatitude:
		return row{}, "not a geo record"
	case !digits18.MatchString(ind):
		return row{}, "ind"
	case !isNumber(latitude) || !isNumber(f["longitude"]):
		return row{}, "coordinates"
	case !isMoment:
		return row{}, "timestamp"
	}
	return row{ind: integer(ind), country: known(f, "country"), moment: at}, ""
}

func cleanUser(f map[string]string) (row, string) {
	ind, hasInd := f["ind"]
	first, hasFirst := f["first_name"]
	last, hasLast := f["last_name"]
	at, isMoment := parseMoment(f["date_joined"])
	switch {
	case !hasInd || !hasFirst:
		return row{}, "not a user record"
	case !digits18.MatchString(ind):
		return row{}, "ind"
	case !hasLast:
		return row{}, "user_name"
	case !digits3.MatchString(f["age"]):
		return row{}, "age"
	case !isMoment:
		return row{}, "date_joined"
	}
	return row{ind: integer(ind), userName: first + " " + last, age: int(integer(f["age"])), moment: at}, ""
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

func parseMoment(text string) (time.Time, bool) {
	if !moment.MatchString(text) || strings.HasPrefix(text, "0000") {
		return time.Time{}, false
	}
	at, err := time.Parse("2006-01-02 15:04:05", strings.Replace(text, "T", " ", 1))
	return at, err == nil
}
