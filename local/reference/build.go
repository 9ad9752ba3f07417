package reference

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Batch holds records that are cleaned with the same options, as those of one date are. The records
// may be in any order.
type Batch struct {
	Records []Record
	Options Options
}

// Built is what the pipeline leaves of all batches.
type Built struct {
	Expected
	// Tables holds the rows of pin, geo, user, and their quarantine. A row of silver has the columns
	// of its table and then the logical date; one of quarantine has logical date, topic,
	// partition, offset, element, reason and value. Values are int64, float64, string, nil or []any;
	// times are texts, 2022-10-18 10:00:00.
	Tables map[string][][]any
}

// Build cleans the records of each batch with its options, and answers the eight questions from all
// of them.
func Build(batches ...Batch) Built {
	built := Built{Expected: Expected{Rows: map[string]int{}, Rejected: map[string]int{}, Answers: map[string][][]any{}}, Tables: map[string][][]any{}}
	tables := map[string]map[int64]row{"pin": {}, "geo": {}, "user": {}}
	latest := map[string]map[int64]element{"pin": {}, "geo": {}, "user": {}}
	for _, batch := range batches {
		for _, record := range batch.Records {
			for _, e := range elements(record) {
				cleaned, reason := clean(e, batch.Options)
				if reason != "" {
					built.reject(e, reason)
					continue
				}
				if before, ok := latest[e.kind][cleaned.ind]; !ok || later(e, before) > 0 {
					latest[e.kind][cleaned.ind], tables[e.kind][cleaned.ind] = e, cleaned
				}
			}
		}
	}
	for kind, table := range tables {
		built.Rows[kind] = len(table)
		for _, ind := range sortedKeys(table) {
			built.Tables[kind] = append(built.Tables[kind], plain(append(table[ind].columns, latest[kind][ind].Date)))
		}
		slices.SortFunc(built.Tables[kind+"_quarantine"], compareTexts)
	}
	answerByPlace(built.Answers, tables["pin"], tables["geo"])
	answerByUser(built.Answers, tables["pin"], tables["user"])
	return built
}

// reject puts an element into quarantine. Each byte of its text that is not UTF-8 becomes a
// replacement character of its own, as landing writes it.
func (b *Built) reject(e element, reason string) {
	b.Rejected[e.kind+":"+reason]++
	table := e.kind + "_quarantine"
	var value any // a tombstone
	if e.Value != nil {
		value = string([]rune(string(e.Value)))
	}
	b.Tables[table] = append(b.Tables[table], []any{e.Date, e.Topic(), int64(e.Partition), e.Offset, int64(e.index), reason, value})
}

// plain replaces pointers by their values.
func plain(columns []any) []any {
	for i, column := range columns {
		if v := reflect.ValueOf(column); v.Kind() == reflect.Pointer {
			columns[i] = nil
			if !v.IsNil() {
				columns[i] = v.Elem().Interface()
			}
		}
	}
	return columns
}

// compareTexts orders rows by the JSON of their values.
func compareTexts(a, b []any) int { return strings.Compare(text(a), text(b)) }

func text(row []any) string {
	b, _ := json.Marshal(row) // strings and numbers have a JSON form
	return string(b)
}
