// Package scan makes objects a relation of DuckDB: a table function that all threads of a statement
// call, and that hands them the lines of objects as they come from the store. Neither an object nor
// a day need to fit into memory.
package scan

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/pinflow/pinflow/local/objectstore"
)

// function is the name of the table function. Its argument is the number of a scan.
const function = "_pinflow_objects"

// Objects are the objects of one read_files.
type Objects struct {
	Store objectstore.Store
	List  []objectstore.Object
	// Whole makes each object a row; otherwise each line is one.
	Whole bool
}

// Scans are the objects that statements of a database read now. It is safe for concurrent use.
type Scans struct {
	mu   sync.Mutex
	last int64
	open map[int64]*scanned
}

// scanned are objects, and the context of the statement that reads them.
type scanned struct {
	Objects
	ctx context.Context

	mu      sync.Mutex
	threads []*thread
}

// close closes the objects that the statement has not read to their ends.
func (s *scanned) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.threads {
		if t.reading {
			_ = t.endObject() // nobody reads it any more
		}
	}
}

// Register makes the relations of Scans known to the database of a connection. It is called once.
func Register(conn *sql.Conn) (*Scans, error) {
	number, err := duckdb.NewTypeInfo(duckdb.TYPE_BIGINT)
	if err != nil {
		return nil, err
	}
	s := &Scans{open: map[int64]*scanned{}}
	return s, duckdb.RegisterTableUDF(conn, function, duckdb.ParallelChunkTableFunction{
		Config: duckdb.TableFunctionConfig{Arguments: []duckdb.TypeInfo{number}},
		BindArguments: func(_ map[string]any, args ...any) (duckdb.ParallelChunkTableSource, error) {
			number, _ := args[0].(int64) // by Config
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.open[number] == nil {
				return nil, errors.New("a relation of objects ends with its statement")
			}
			return newSource(s.open[number])
		},
	})
}

// Open returns a relation with Databricks' columns value and _metadata, which can be read until
// done is called, after the statement. ctx ends the reading.
func (s *Scans) Open(ctx context.Context, o Objects) (relation string, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	number := s.last
	opened := &scanned{Objects: o, ctx: ctx}
	s.open[number] = opened
	relation = fmt.Sprintf("(SELECT value, struct_pack(file_path := file_path, file_name := file_name, file_size := file_size, "+
		"file_modification_time := file_modification_time) AS _metadata FROM %s(%d))", function, number)
	return relation, func() {
		cancel()
		opened.close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, number)
	}
}
