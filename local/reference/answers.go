package reference

import (
	"cmp"
	"slices"
	"time"
)

// Expected is the result that the pipeline must have: rows of the cleaned tables, quarantined
// records by `kind:reason`, and the rows of each answer.
type Expected struct {
	Rows     map[string]int     `json:"rows"`
	Rejected map[string]int     `json:"rejected"`
	Answers  map[string][][]any `json:"answers"`
}

// Answers cleans the records and answers the eight questions. The records may be in any order.
func Answers(records []Record, o Options) Expected {
	return Build(Batch{Records: records, Options: o}).Expected
}

// counter counts (group, item) pairs.
type counter[G, I comparable] map[G]map[I]int64

func (c counter[G, I]) add(group G, item I) {
	if c[group] == nil {
		c[group] = map[I]int64{}
	}
	c[group][item]++
}

// top returns, for each group, all items with the highest value.
func top[G, I cmp.Ordered](groups map[G]map[I]int64) [][]any {
	rows := [][]any{}
	for _, group := range sortedKeys(groups) {
		best := int64(-1)
		for _, n := range groups[group] {
			best = max(best, n)
		}
		for _, item := range sortedKeys(groups[group]) {
			if groups[group][item] == best {
				rows = append(rows, []any{group, item, best})
			}
		}
	}
	return rows
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func answerByPlace(answers map[string][][]any, pins, places map[int64]row) {
	byCountry, byYear := counter[string, string]{}, counter[int64, string]{}
	followed := map[string]map[string]int64{}
	for ind, pin := range pins {
		place, ok := places[ind]
		if !ok {
			continue
		}
		year := int64(place.moment.Year())
		if pin.category != nil && year >= 2018 && year <= 2022 {
			byYear.add(year, *pin.category)
		}
		if place.country == nil {
			continue
		}
		if pin.category != nil {
			byCountry.add(*place.country, *pin.category)
		}
		if pin.poster != nil && pin.followers != nil {
			if followed[*place.country] == nil {
				followed[*place.country] = map[string]int64{}
			}
			before, seen := followed[*place.country][*pin.poster]
			if !seen || *pin.followers > before {
				followed[*place.country][*pin.poster] = *pin.followers
			}
		}
	}
	answers["most_popular_category_by_country"] = top(byCountry)
	answers["most_popular_category_by_year"] = top(byYear)
	users := top(followed)
	answers["most_followed_user_by_country"] = users
	answers["country_of_most_followed_user"] = mostFollowed(users)
}

// mostFollowed returns the countries of the users with the most followers of all.
func mostFollowed(users [][]any) [][]any {
	best := int64(-1)
	for _, user := range users {
		best = max(best, user[2].(int64))
	}
	rows := [][]any{}
	for _, user := range users {
		if user[2] == best && (len(rows) == 0 || rows[len(rows)-1][0] != user[0]) {
			rows = append(rows, []any{user[0], best})
		}
	}
	return rows
}

// ageGroup returns "" for an age outside all groups.
func ageGroup(age int) string {
	switch {
	case age > 50:
		return "50+"
	case age >= 36:
		return "36-50"
	case age >= 25:
		return "25-35"
	case age >= 18:
		return "18-24"
	}
	return ""
}

type groupAndYear struct {
	group string
	year  int64
}

func answerByUser(answers map[string][][]any, pins, users map[int64]row) {
	categories := counter[string, string]{}
	byGroup, byYear, byBoth := map[string][]int64{}, map[int64][]int64{}, map[groupAndYear][]int64{}
	for ind, pin := range pins {
		user, ok := users[ind]
		if !ok {
			continue
		}
		group, year := ageGroup(user.age), int64(user.moment.Year())
		if group != "" && pin.category != nil {
			categories.add(group, *pin.category)
		}
		if pin.followers == nil {
			continue
		}
		if group != "" {
			byGroup[group] = append(byGroup[group], *pin.followers)
		}
		if year >= 2015 && year <= 2020 {
			byYear[year] = append(byYear[year], *pin.followers)
			if group != "" {
				byBoth[groupAndYear{group, year}] = append(byBoth[groupAndYear{group, year}], *pin.followers)
			}
		}
	}
	answers["most_popular_category_by_age_group"] = top(categories)
	answers["median_followers_by_age_group"] = medians(byGroup)
	answers["median_followers_by_joining_year"] = medians(byYear)
	answers["users_joined_by_year"] = joined(users)
	both := [][]any{}
	for key, counts := range byBoth {
		both = append(both, []any{key.group, key.year, median(counts)})
	}
	slices.SortFunc(both, func(a, b []any) int {
		return cmp.Or(cmp.Compare(a[0].(string), b[0].(string)), cmp.Compare(a[1].(int64), b[1].(int64)))
	})
	answers["median_followers_by_joining_year_and_age_group"] = both
}

// joined counts users by the year in which they joined; a user is a distinct name, age and date of
// joining.
func joined(users map[int64]row) [][]any {
	type user struct {
		name string
		age  int
		at   time.Time
	}
	seen, years := map[user]bool{}, map[int64]int64{}
	for _, u := range users {
		key, year := user{u.userName, u.age, u.moment}, int64(u.moment.Year())
		if !seen[key] && year >= 2015 && year <= 2020 {
			seen[key] = true
			years[year]++
		}
	}
	rows := [][]any{}
	for _, year := range sortedKeys(years) {
		rows = append(rows, []any{year, years[year]})
	}
	return rows
}

func medians[G cmp.Ordered](groups map[G][]int64) [][]any {
	rows := [][]any{}
	for _, group := range sortedKeys(groups) {
		rows = append(rows, []any{group, median(groups[group])})
	}
	return rows
}

func median(counts []int64) float64 {
	slices.Sort(counts)
	middle := len(counts) / 2
	if len(counts)%2 == 1 {
		return float64(counts[middle])
	}
	return (float64(counts[middle-1]) + float64(counts[middle])) / 2
}
