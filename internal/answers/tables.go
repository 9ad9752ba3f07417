// Package answers reads what the pipeline found out, the gold tables, and what it kept and rejected on the way, from a SQL warehouse.
package answers

import "slices"

// Kind is what a column of an answer holds.
type Kind int

// The kinds of columns.
const (
	// Text is a name: a string.
	Text Kind = iota
	// Count is a whole number: an int64.
	Count
	// Median is the middle of whole numbers, which may lie between two of them: a float64.
	Median
)

// Column is a column of an answer.
type Column struct {
	Name string
	Kind Kind
}

// Table is a gold table: the answer to one question about the posts.
type Table struct {
	// Name is the table's name in the schema.
	Name string
	// Title is the question's subject, for people.
	Title string
	// Columns stand in the order in which rows are given and sorted.
	Columns []Column
}

var (
	country   = Column{"country", Text}
	category  = Column{"category", Text}
	poster    = Column{"poster_name", Text}
	ageGroup  = Column{"age_group", Text}
	year      = Column{"post_year", Count}
	posts     = Column{"category_count", Count}
	followers = Column{"follower_count", Count}
	joined    = Column{"number_users_joined", Count}
	median    = Column{"median_follower_count", Median}
)

// Tables are all answers, in the order of their questions. The third question has two.
var Tables = []Table{
	{"most_popular_category_by_country", "1. The most popular category in each country", []Column{country, category, posts}},
	{"most_popular_category_by_year", "2. The most popular category in each year", []Column{year, category, posts}},
	{"most_followed_user_by_country", "3. The user with the most followers in each country", []Column{country, poster, followers}},
	{"country_of_most_followed_user", "3. The country of the user with the most followers of all", []Column{country, followers}},
	{"most_popular_category_by_age_group", "4. The most popular category in each age group", []Column{ageGroup, category, posts}},
	{"median_followers_by_age_group", "5. The median number of followers in each age group", []Column{ageGroup, median}},
	{"users_joined_by_year", "6. How many users joined in each year", []Column{year, joined}},
	{"median_followers_by_joining_year", "7. The median number of followers by year of joining", []Column{year, median}},
	{"median_followers_by_joining_year_and_age_group", "8. The median number of followers by age group and year of joining", []Column{ageGroup, year, median}},
}

// Lookup returns the answer of that name.
func Lookup(name string) (Table, bool) {
	i := slices.IndexFunc(Tables, func(t Table) bool { return t.Name == name })
	if i < 0 {
		return Table{}, false
	}
	return Tables[i], true
}

// Names are the names of all answers.
func Names() []string {
	names := make([]string, len(Tables))
	for i, t := range Tables {
		names[i] = t.Name
	}
	return names
}

// ColumnNames are the names of the answer's columns.
func (t Table) ColumnNames() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}
