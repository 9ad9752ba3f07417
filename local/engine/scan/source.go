package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"
	"unicode/utf8"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/pinflow/pinflow/local/objectstore"
)

// columns of the table function. value comes first: it is the only one that differs from row to row.
var columns = []struct {
	name string
	kind duckdb.Type
}{
	{"value", duckdb.TYPE_VARCHAR},
	{"file_path", duckdb.TYPE_VARCHAR},
	{"file_name", duckdb.TYPE_VARCHAR},
	{"file_size", duckdb.TYPE_BIGINT},
	{"file_modification_time", duckdb.TYPE_TIMESTAMP},
}

// openAhead is how many objects are requested before a thread has time for them, so that the time in
// which a store answers is not lost. What they hold waits in the buffers of their connections.
const openAhead = 4

// source is one use of a relation in a statement: its threads share the objects.
type source struct {
	*scanned
	infos  []duckdb.ColumnInfo
	start  sync.Once
	opened chan opened
}

// opened is an object that a thread can read.
type opened struct {
	objectstore.Object
	content io.ReadCloser
	err     error
}

func newSource(s *scanned) (*source, error) {
	all := &source{scanned: s, opened: make(chan opened, openAhead)}
	for _, c := range columns {
		kind, err := duckdb.NewTypeInfo(c.kind)
		if err != nil {
			return nil, err
		}
		all.infos = append(all.infos, duckdb.ColumnInfo{Name: c.name, T: kind})
	}
	return all, nil
}

// ColumnInfos implements duckdb.ParallelChunkTableSource.
func (s *source) ColumnInfos() []duckdb.ColumnInfo { return s.infos }

// maxThreads is how many threads may read a relation; DuckDB uses no more than the statement has. With
// 0 it uses one.
const maxThreads = 256

// usualLine is the length of a line, in bytes, by which the planner of DuckDB estimates how many
// there are.
const usualLine = 500

// Cardinality implements duckdb.ParallelChunkTableSource.
func (s *source) Cardinality() *duckdb.CardinalityInfo {
	var bytes int64
	for _, object := range s.List {
		bytes += object.Size
	}
	return &duckdb.CardinalityInfo{Cardinality: uint(bytes/usualLine) + uint(len(s.List))}
}

// Init implements duckdb.ParallelChunkTableSource: as many threads as the statement has.
func (s *source) Init() duckdb.ParallelTableSourceInfo {
	s.start.Do(func() { go s.openAll() })
	return duckdb.ParallelTableSourceInfo{MaxThreads: maxThreads}
}

// openAll opens the objects in order, until the statement ends.
func (s *source) openAll() {
	defer close(s.opened)
	for _, object := range s.List {
		content, err := s.Store.Open(s.ctx, object.URI)
		select {
		case s.opened <- opened{object, content, err}:
		case <-s.ctx.Done():
			if content != nil {
				content.Close()
			}
		}
		if err != nil || s.ctx.Err() != nil {
			break
		}
	}
	for s.ctx.Err() != nil { // what no thread takes any more
		o, ok := <-s.opened
		if !ok {
			return
		}
		if o.content != nil {
			o.content.Close()
		}
	}
}

// thread is the state of a thread: the object that it reads.
type thread struct {
	opened
	lines     lines
	constants []mapping.Value // of the columns after value
	reading   bool
}

// NewLocalState implements duckdb.ParallelChunkTableSource.
func (s *source) NewLocalState() any {
	t := &thread{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.threads = append(s.threads, t)
	return t
}

// FillChunk implements duckdb.ParallelChunkTableSource. All rows of a chunk are of one object.
func (s *source) FillChunk(state any, chunk duckdb.DataChunk) error {
	t := state.(*thread)
	for {
		if !t.reading {
			ok, err := s.nextObject(t)
			if err != nil || !ok {
				return errors.Join(err, chunk.SetSize(0))
			}
		}
		n, err := s.fill(t, chunk)
		if errors.Is(err, io.EOF) {
			err = t.endObject()
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", t.URI, err)
		}
		if n > 0 {
			return chunk.SetSize(n)
		}
	}
}

// nextObject takes the next object; ok is false if all are taken.
func (s *source) nextObject(t *thread) (ok bool, err error) {
	select {
	case t.opened, ok = <-s.opened:
	case <-s.ctx.Done():
		return false, s.ctx.Err()
	}
	if !ok {
		return false, s.ctx.Err()
	}
	if t.err != nil {
		return false, fmt.Errorf("read %s: %w", t.URI, t.err)
	}
	t.reading = true
	t.lines.reset(t.content)
	t.constants = []mapping.Value{
		mapping.CreateVarchar(t.URI), mapping.CreateVarchar(path.Base(t.URI)), mapping.CreateInt64(t.Size),
		mapping.CreateTimestamp(mapping.NewTimestamp(t.Modified.UnixMicro())),
	}
	return true, nil
}

// endObject closes the object.
func (t *thread) endObject() error {
	t.reading = false
	for i := range t.constants {
		mapping.DestroyValue(&t.constants[i])
	}
	return t.content.Close()
}

// fill fills a chunk with the next lines of an object, or with the whole of it, and returns how many
// rows it has. io.EOF comes with the last of them, or after it.
func (s *source) fill(t *thread, chunk duckdb.DataChunk) (rows int, err error) {
	vectors := vectorsOf(chunk)
	for i, constant := range t.constants {
		if v := vectors[i+1]; v.Ptr != nil {
			mapping.VectorReferenceValue(v, constant)
		}
	}
	set := func(value []byte) {
		if v := vectors[0]; v.Ptr != nil {
			bindings.UnsafeVectorAssignStringElementLen(v, mapping.IdxT(rows), validUTF8(value)) // without a second look at the UTF-8
		}
		rows++
	}
	if s.Whole {
		content, err := io.ReadAll(t.content)
		if err != nil {
			return 0, err
		}
		set(content)
		return rows, io.EOF
	}
	for capacity := duckdb.GetDataChunkCapacity(); rows < capacity; {
		line, err := t.lines.next()
		if err != nil {
			return rows, err
		}
		set(line)
	}
	return rows, nil
}

// validUTF8 replaces invalid UTF-8 by U+FFFD, as Databricks does; DuckDB would reject the object.
func validUTF8(value []byte) []byte {
	if utf8.Valid(value) {
		return value
	}
	return bytes.ToValidUTF8(value, []byte("\uFFFD"))
}
