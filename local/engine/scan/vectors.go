package scan

import (
	"reflect"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/duckdb/duckdb-go/v2/mapping"
)

// vectorsOf returns the vector of each column; that of a column which the statement does not read
// has no pointer.
//
// With a vector, a column that is the same in all rows of a chunk is set once, and DuckDB computes
// once what depends on it: the date in the name of an object, for example. duckdb-go sets values row
// by row and keeps the vectors to itself; this reads its fields by their names.
func vectorsOf(chunk duckdb.DataChunk) []mapping.Vector {
	fields := reflect.ValueOf(chunk)
	data := mapping.DataChunk{Ptr: fields.FieldByName("chunk").FieldByName("Ptr").UnsafePointer()}
	projection := fields.FieldByName("projection")
	vectors := make([]mapping.Vector, projection.Len())
	for i := range vectors {
		if at := projection.Index(i).Int(); at >= 0 {
			vectors[i] = mapping.DataChunkGetVector(data, mapping.IdxT(at))
		}
	}
	return vectors
}
