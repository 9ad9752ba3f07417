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

// Hash identifies the notebook's source: hex sha256.
func (n Notebook) Hash() string {
	sum := sha256.Sum256([]byte(n.Source))
	return hex.EncodeToString(sum[:])
}
