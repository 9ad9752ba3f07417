// Package notebooks holds the Databricks SQL notebooks of the pipeline, in source format. Cleaning
// and answers are defined nowhere else.
package notebooks

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed *.sql
var files embed.FS

// Parameters holds the names of the parameters that a notebook is given, all of them strings.
// logical_dates holds the dates of the run, sorted, with commas between them; logical_date is the
// first of them, for notebooks that know one date only. run_id is the Temporal run of the first date,
// notebook_hash the hash of the notebook's source.
var Parameters = []string{"schema", "raw_path", "user_id", "posts_topic", "logical_date", "logical_dates", "run_id", "notebook_hash", "invalid_followers"}

// InvalidFollowers holds the values of the parameter invalid_followers: what cleaning does with a
// follower count that it cannot parse.
var InvalidFollowers = []string{"quarantine", "null"}

// Answers holds the tables that the notebook query rebuilds, in the order of the questions.
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

// All returns the notebooks of this build, sorted by their names.
func All() []Notebook {
	all, err := read(files)
	if err != nil {
		panic(fmt.Sprintf("embedded notebooks: %v", err)) // they are part of the program
	}
	return all
}

// header is the first line of a notebook in source format. Databricks imports a file without it as
// a file.
const header = "-- Databricks notebook source"

// Open returns the notebooks in a directory, *.sql, sorted by their names. The error names what is
// no notebook in source format.
func Open(dir string) ([]Notebook, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	all, err := read(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no notebooks: want files *.sql", dir)
	}
	for _, notebook := range all {
		if !strings.HasPrefix(Normal(notebook.Source), header+"\n") {
			return nil, fmt.Errorf("%s is not a notebook: its first line must be %q", filepath.Join(dir, notebook.Name+".sql"), header)
		}
	}
	return all, nil
}

// read returns the notebooks in the root of a file system.
func read(from fs.FS) ([]Notebook, error) {
	names, err := fs.Glob(from, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []Notebook
	for _, name := range names {
		source, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		all = append(all, Notebook{Name: strings.TrimSuffix(name, ".sql"), Source: string(source)})
	}
	return all, nil
}

// Hash returns the hash of the notebook's source.
func (n Notebook) Hash() string { return Hash(n.Source) }

// Hash returns the SHA-256 of the normal form of a source, in hex.
func Hash(source string) string {
	sum := sha256.Sum256([]byte(Normal(source)))
	return hex.EncodeToString(sum[:])
}

// Normal returns a source without what a workspace changes: the kind of line ends, and blank lines
// at the end.
func Normal(source string) string {
	return strings.TrimRight(strings.ReplaceAll(source, "\r\n", "\n"), " \t\n") + "\n"
}
