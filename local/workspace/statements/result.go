package statements

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/workspace/cell"
)

// chunkSize is the size of the cells in a chunk of a result, in bytes. The API does not define it;
// clients follow next_chunk_index.
const chunkSize = 4 << 20

// resultSet is the result of a statement as in the API: texts in chunks.
type resultSet struct {
	manifest sql.ResultManifest
	chunks   [][][]*string
}

// resultData is sql.ResultData with rows that can hold NULL, which the SDK's type decodes as an
// empty text.
type resultData struct {
	ChunkIndex            int         `json:"chunk_index"`
	RowOffset             int64       `json:"row_offset"`
	RowCount              int64       `json:"row_count"`
	NextChunkIndex        int         `json:"next_chunk_index,omitempty"`
	NextChunkInternalLink string      `json:"next_chunk_internal_link,omitempty"`
	DataArray             [][]*string `json:"data_array"`
}

// newResultSet converts a table to texts, up to the limits; nil is no limit. A result above the
// INLINE limit is an error, unless byte_limit allows a part of it.
func newResultSet(table *engine.Table, rowLimit, byteLimit *int64) (*resultSet, error) {
	if table == nil {
		table = &engine.Table{}
	}
	set := &resultSet{manifest: sql.ResultManifest{
		Format: sql.FormatJsonArray,
		Schema: resultSchema(table.Columns),
		// The service also sends these when they are zero.
		ForceSendFields: []string{"TotalChunkCount", "TotalRowCount", "Truncated"},
	}}
	rows := table.Rows
	if rowLimit != nil && int64(len(rows)) > *rowLimit {
		rows, set.manifest.Truncated = rows[:*rowLimit], true
	}
	var chunk [][]*string
	var total, inChunk int64
	for _, row := range rows {
		cells, size := encodeRow(row, table.Columns)
		if byteLimit != nil && total+size > *byteLimit {
			set.manifest.Truncated = true
			break
		}
		if total += size; total > maxInlineResult {
			return nil, statementFailed("Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most %d bytes. Set a row_limit or narrow the query.", maxInlineResult)
		}
		if inChunk > 0 && inChunk+size > chunkSize {
			set.add(chunk)
			chunk, inChunk = nil, 0
		}
		chunk, inChunk = append(chunk, cells), inChunk+size
	}
	if len(chunk) > 0 {
		set.add(chunk)
	}
	return set, nil
}

func (set *resultSet) add(chunk [][]*string) {
	set.manifest.Chunks = append(set.manifest.Chunks, sql.BaseChunkInfo{
		ChunkIndex:      len(set.chunks),
		RowOffset:       set.manifest.TotalRowCount,
		RowCount:        int64(len(chunk)),
		ForceSendFields: []string{"ChunkIndex", "RowOffset"},
	})
	set.manifest.TotalChunkCount++
	set.manifest.TotalRowCount += int64(len(chunk))
	set.chunks = append(set.chunks, chunk)
}

// chunk returns one chunk; without rows it is {}.
func (set *resultSet) chunk(statementID string, index int) any {
	if index >= len(set.chunks) {
		return struct{}{}
	}
	info := set.manifest.Chunks[index]
	data := resultData{ChunkIndex: index, RowOffset: info.RowOffset, RowCount: info.RowCount, DataArray: set.chunks[index]}
	if next := index + 1; next < len(set.chunks) {
		data.NextChunkIndex = next
		data.NextChunkInternalLink = fmt.Sprintf("/api/2.0/sql/statements/%s/result/chunks/%d", statementID, next)
	}
	return data
}

func encodeRow(row []any, columns []engine.Column) (cells []*string, size int64) {
	cells = make([]*string, len(row))
	for i, value := range row {
		cells[i] = cell.Text(value, columns[i].Type)
		size += 4
		if cells[i] != nil {
			size += int64(len(*cells[i]))
		}
	}
	return cells, size
}

func resultSchema(columns []engine.Column) *sql.ResultSchema {
	schema := &sql.ResultSchema{ColumnCount: len(columns), ForceSendFields: []string{"ColumnCount"}}
	for i, c := range columns {
		info := sql.ColumnInfo{Name: c.Name, Position: i, TypeText: c.Type, TypeName: typeName(c.Type), ForceSendFields: []string{"Position"}}
		if found := decimalPattern.FindStringSubmatch(c.Type); found != nil {
			// The pattern matches only a few digits, so that these cannot fail.
			info.TypePrecision, _ = strconv.Atoi(found[1])
			info.TypeScale, _ = strconv.Atoi(found[2])
			info.ForceSendFields = append(info.ForceSendFields, "TypeScale")
		}
		schema.Columns = append(schema.Columns, info)
	}
	return schema
}

var decimalPattern = regexp.MustCompile(`^DECIMAL\((\d{1,2}), ?(\d{1,2})\)$`)

// typeName returns the base type of a Databricks type. Some integer types have another name in the
// API than in SQL.
func typeName(typeText string) sql.ColumnInfoTypeName {
	base := typeText
	if end := strings.IndexAny(base, "(< "); end >= 0 {
		base = base[:end]
	}
	switch base {
	case "TINYINT":
		return sql.ColumnInfoTypeNameByte
	case "SMALLINT":
		return sql.ColumnInfoTypeNameShort
	case "BIGINT":
		return sql.ColumnInfoTypeNameLong
	case "VARCHAR":
		return sql.ColumnInfoTypeNameString
	case "TIMESTAMP_NTZ":
		return sql.ColumnInfoTypeNameTimestamp
	case "VOID":
		return sql.ColumnInfoTypeNameNull
	}
	return sql.ColumnInfoTypeName(base)
}
