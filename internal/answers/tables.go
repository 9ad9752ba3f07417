// Package answers reads the gold tables, and the counts of what the pipeline kept and rejected,
// from a SQL warehouse. The DAG says which tables there are; this package knows titles and columns
// of some of them.
package answers

import "slices"

// Kind is the type of the values of a column.
type Kind int

// The kinds of columns.
const (
	// Text is a string.
	Text Kind = iota
	// Integer is a whole number, an int64.
	Integer
	// Float is a number that may lie between two whole ones, a float64.
	Float
	// Year is a calendar year, an int64: it is written without separators and counts nothing.
	Year
)

// Column is a column of an answer.
type Column struct {
	// Name is the column's name in the table; Title what it is for a reader. Tables that are not
	// known here have their names as titles.
	Name, Title string
	Kind        Kind
}

// Table is a gold table: the answer to one question about the posts.
type Table struct {
	// Name is the table's name in the schema.
	Name string
	// Title is the heading above the rows.
	Title string
	// Columns is the order in which rows are read and sorted; empty for those of the table itself.
	Columns []Column
}

var (
	country   = Column{"country", "country", Text}
	category  = Column{"category", "category", Text}
	poster    = Column{"poster_name", "user", Text}
	ageGroup  = Column{"age_group", "age group", Text}
	postYear  = Column{"post_year", "year", Year}
	joinYear  = Column{"post_year", "year of joining", Year}
	posts     = Column{"category_count", "posts", Integer}
	followers = Column{"follower_count", "followers", Integer}
	joined    = Column{"number_users_joined", "users joined", Integer}
	median    = Column{"median_follower_count", "median followers", Float}
)

// known holds the answers to the eight questions. The third question has two.
var known = []Table{
	{"most_popular_category_by_country", "1. The most popular category in each country", []Column{country, category, posts}},
	{"most_popular_category_by_year", "2. The most popular category in each year", []Column{postYear, category, posts}},
	{"most_followed_user_by_country", "3a. The user with the most followers in each country", []Column{country, poster, followers}},
	{"country_of_most_followed_user", "3b. The country of the user with the most followers of all", []Column{country, followers}},
	{"most_popular_category_by_age_group", "4. The most popular category in each age group", []Column{ageGroup, category, posts}},
	{"median_followers_by_age_group", "5. The median number of followers in each age group", []Column{ageGroup, median}},
	{"users_joined_by_year", "6. How many users joined in each year", []Column{joinYear, joined}},
	{"median_followers_by_joining_year", "7. The median number of followers by year of joining", []Column{joinYear, median}},
	{"median_followers_by_joining_year_and_age_group", "8. The median number of followers by age group and year of joining", []Column{ageGroup, joinYear, median}},
}

// Tables returns the tables with these names. One without a title here is headed by its name.
func Tables(names []string) []Table {
	tables := make([]Table, len(names))
	for i, name := range names {
		tables[i] = Table{Name: name, Title: name}
		if at := slices.IndexFunc(known, func(t Table) bool { return t.Name == name }); at >= 0 {
			tables[i] = known[at]
		}
	}
	return tables
}

// ColumnTitles returns the titles of the columns.
func (t Table) ColumnTitles() []string {
	titles := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		titles[i] = c.Title
	}
	return titles
}

// ColumnNames returns the names of the columns.
func (t Table) ColumnNames() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}
