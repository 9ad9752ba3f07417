package verify

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/pinflow/pinflow/activities/landing"
)

// compareRaw compares the rows of raw of a date with the lines of its objects.
func (d *day) compareRaw(ctx context.Context, table string, files map[string]rawFile) error {
	for _, file := range files {
		d.landed.Tables.Raw += file.rows
	}
	if len(files) == 0 && d.landed.Records > 0 {
		d.problem(Problem{Table: table, What: fmt.Sprintf("it has no row of the %d records that have landed", d.landed.Records), Next: d.runAgain() + " loads them"})
		return nil
	}
	for _, object := range slices.Concat(d.objects, d.imported) {
		is, name := d.contents[object.Key], path.Base(object.Key)
		file, ok := files[name]
		delete(files, name)
		if ok == (is.lines > 0) && (!ok || file.is(object, is)) {
			continue
		}
		if err := d.explainRaw(ctx, table, object, file); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		d.problem(Problem{Table: table, What: fmt.Sprintf("it has %d rows of %s, which is no object of the date", files[name].rows, name),
			Next: "restore the object; or, if its records are in other objects, " + d.deleteRows(table, name)})
	}
	return nil
}

// is reports whether raw has the lines of an object, and nothing else of it.
func (f rawFile) is(object landing.Object, is content) bool {
	return f.partition == strconv.Itoa(object.Partition) && f.rows == int64(is.lines) && f.distinct == f.rows &&
		f.first == strconv.FormatInt(is.first, 10) && f.last == strconv.FormatInt(is.last, 10) && f.sumOffsets == is.sum
}

func (d *day) deleteRows(table, file string) string {
	return fmt.Sprintf("DELETE FROM %s WHERE logical_date = DATE'%s' AND file = %s", table, d.date, quoted(file))
}

// explainRaw says which lines of an object raw lacks, and which it has several times.
func (d *day) explainRaw(ctx context.Context, table string, object landing.Object, file rawFile) error {
	one := Problem{Partition: &object.Partition, Object: d.Objects.URI(object.Key), Table: table,
		What: fmt.Sprintf("it has %d rows of the %d lines of the object", file.rows, d.contents[object.Key].lines),
		Next: "load reads an object once: " + d.deleteRows(table, path.Base(object.Key)) + ", then " + d.runAgain()}
	if d.damaged[object.Key] {
		one.Next = "restore the object first: raw may have the only copy of its records"
	}
	if file.rows == 0 {
		one.Offset, one.Next = &object.Start, d.runAgain()+" loads them"
		d.problem(one)
		return nil
	}
	body, err := d.Objects.Get(ctx, object.Key)
	if err != nil {
		return err
	}
	lines, _, _ := d.readLines(object, body)
	rows, err := d.Warehouse.Query(ctx, fmt.Sprintf("SELECT topic_partition, topic_offset, count(*) FROM %s WHERE %s AND file = %s GROUP BY topic_partition, topic_offset",
		table, batch{days: []*day{d}}.where(), quoted(path.Base(object.Key))))
	if err != nil {
		return err
	}
	times := map[int64]int64{}
	for _, row := range rows {
		offset, _ := strconv.ParseInt(row[1], 10, 64) // text that is no number is an offset that no line has
		count, _ := strconv.ParseInt(row[2], 10, 64)
		if row[0] != strconv.Itoa(object.Partition) {
			offset = -1 // a place that no line has
		}
		times[offset] += count
	}
	var missing, doubled, unknown []int64
	for _, line := range lines {
		switch count := times[line.offset]; {
		case count == 0:
			missing = append(missing, line.offset)
		case count > 1:
			doubled = append(doubled, line.offset)
		}
		delete(times, line.offset)
	}
	unknown = slices.Sorted(maps.Keys(times))
	for _, found := range []struct {
		offsets []int64
		what    string
	}{{missing, "lacks"}, {doubled, "has several times"}, {unknown, "has, without a line in the object,"}} {
		if len(found.offsets) == 0 {
			continue
		}
		if one.Offset == nil {
			one.Offset = &found.offsets[0]
		}
		one.What += fmt.Sprintf("; it %s %s", found.what, listOffsets(found.offsets))
	}
	d.problem(one)
	return nil
}
