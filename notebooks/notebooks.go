// Package notebooks holds the Databricks SQL notebooks of the pipeline, in source format: the only place where cleaning and answers are written.
package notebooks

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.sql
var files embed.FS

// Parameters are the named parameters that the notebooks know. All are strings.
var Parameters = []string{"schema", "raw_path", "user_id", "logical_date", "invalid_followers"}

// InvalidFollowers are the values of the parameter invalid_followers: what cleaning does with a follower
// count that it cannot parse.
var InvalidFollowers = []string{"quarantine", "null"}

// Answers are the tables that the notebook query makes, one or two a question, in the order of the questions.
var Answers = []string{
	"most_popular_category_by_country",
	"most_popular_category_by_year",
	"most_followed_user_by_country",
	"country_of_most_followed_user",
	"most_popular_category_by_age_group",
	"median_followers_by_age_group",
	"users_joined_by_year",
	"median_followers_by_joining_year",
	"median_followers_by_joining_year_and_age_group",
}

// Notebook is one notebook: its name, as in clean_pin, and its source.
type Notebook struct {
	Name   string
	Source string
}

// All returns the notebooks, sorted by their names.
func All() []Notebook {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(fmt.Sprintf("embedded notebooks: %v", err)) // they are in the program
	}
	var all []Notebook
	for _, entry := range entries {
		source, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(fmt.Sprintf("embedded notebooks: %v", err))
		}
		all = append(all, Notebook{Name: strings.TrimSuffix(entry.Name(), ".sql"), Source: string(source)})
	}
	return all
}

// Hash identifies the notebook's source.
func (n Notebook) Hash() string { return Hash(n.Source) }

// Hash identifies a source: the SHA-256 of its normal form, in hex.
func Hash(source string) string {
	sum := sha256.Sum256([]byte(Normal(source)))
	return hex.EncodeToString(sum[:])
}

// Normal is a source without what a workspace changes by itself: line ends, and blank lines at the end.
func Normal(source string) string {
	return strings.TrimRight(strings.ReplaceAll(source, "\r\n", "\n"), " \t\n") + "\n"
}
