package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/dates"
)

const (
	// byTables is what is counted, for what could not be.
	byTables = "rows of the tables"
	// rawTable has a row for each landed line.
	rawTable = "raw"
	// statementsAtOnce is as many as the smallest warehouse takes without a queue.
	statementsAtOnce = 10
	// datesOfStatement is how many dates one statement counts.
	datesOfStatement = 31
)

// batch is some dates, with the topics of which one statement counts the rows.
type batch struct {
	kind string // of silver; empty for raw
	days []*day
}

// tables counts the rows of the dates. It returns the error of a warehouse that cannot be asked; the
// dates say that they were not counted.
func (v *Verifier) tables(ctx context.Context, all []*day) (lost error) {
	for _, kinds := range []bool{false, true} { // raw before silver
		var group errgroup.Group
		group.SetLimit(statementsAtOnce)
		for _, batch := range v.batches(all) {
			if (batch.kind != "") != kinds {
				continue
			}
			group.Go(func() error {
				defer v.step("tables of " + cmp.Or(batch.kind, batch.days[0].topic))
				return v.countBatch(ctx, batch)
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// batches returns the batches of raw, a topic each, and those of silver, a kind of record each.
func (v *Verifier) batches(all []*day) (batches []batch) {
	add := func(kind string, topics []string) {
		var days []*day
		dates := map[dates.Date]bool{}
		for _, d := range all {
			if d.landed.State == NotLanded || !slices.Contains(topics, d.topic) {
				continue
			}
			if !dates[d.date] && len(dates) == datesOfStatement {
				batches, days = append(batches, batch{kind, days}), nil
				clear(dates)
			}
			dates[d.date] = true
			days = append(days, d)
		}
		if len(days) > 0 {
			batches = append(batches, batch{kind, days})
		}
	}
	for _, topic := range v.Topics {
		add("", []string{topic})
	}
	for _, kind := range slices.Sorted(maps.Keys(v.Cleaned)) {
		add(kind, v.Cleaned[kind])
	}
	return batches
}

// countBatch counts the rows of some dates, of raw or of a kind of record.
func (v *Verifier) countBatch(ctx context.Context, b batch) (err error) {
	if b.kind == "" {
		for _, d := range b.days {
			d.landed.Tables = &Tables{}
		}
		err = v.countRaw(ctx, b)
	} else {
		err = v.countSilver(ctx, b)
	}
	if err == nil {
		return nil
	}
	err = databricks.Classify(err)
	for _, d := range b.days {
		d.uncount()
		d.unproven(byTables, err.Error())
	}
	return err
}

// uncount forgets what was counted.
func (d *day) uncount() {
	d.found.Lock()
	defer d.found.Unlock()
	d.landed.Tables = nil
}

// rawFile is what raw has of an object.
type rawFile struct {
	partition               string // the only one; or the first and the last
	rows, distinct          int64
	first, last, sumOffsets string
}

// countRaw compares the rows of raw with the lines of the objects: as many, each offset once, and in
// all the same offsets.
func (v *Verifier) countRaw(ctx context.Context, b batch) error {
	table := v.Warehouse.Name(rawTable)
	rows, err := v.Warehouse.Query(ctx, "SELECT CAST(logical_date AS STRING), file, min(topic_partition), max(topic_partition), count(*), count(DISTINCT topic_offset), "+
		"min(topic_offset), max(topic_offset), sum(topic_offset) FROM "+table+" WHERE "+b.where()+" GROUP BY logical_date, file")
	if err != nil && !errors.Is(err, answers.ErrMissing) {
		return err
	}
	files := map[string]map[string]rawFile{} // by date and name
	for _, row := range rows {
		if len(row) != 9 {
			return fmt.Errorf("table %s: a row has %d values, want 9", table, len(row))
		}
		one := rawFile{partition: row[2], first: row[6], last: row[7], sumOffsets: whole(row[8])}
		if row[3] != row[2] {
			one.partition += " to " + row[3]
		}
		var errs [2]error
		one.rows, errs[0] = strconv.ParseInt(row[4], 10, 64)
		one.distinct, errs[1] = strconv.ParseInt(row[5], 10, 64)
		if err := errors.Join(errs[:]...); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		if files[row[0]] == nil {
			files[row[0]] = map[string]rawFile{}
		}
		files[row[0]][row[1]] = one
	}
	for _, d := range b.days {
		if err := d.compareRaw(ctx, table, files[string(d.date)]); err != nil {
			return err
		}
	}
	return nil
}

// whole returns a number without the zeros of a fraction.
func whole(number string) string {
	whole, _, _ := strings.Cut(number, ".")
	return whole
}

// where is the condition of some dates and their topics.
func (b batch) where() string {
	var days, topics []string
	for _, d := range b.days {
		if day := "DATE'" + string(d.date) + "'"; !slices.Contains(days, day) {
			days = append(days, day)
		}
		if topic := quoted(d.topic); !slices.Contains(topics, topic) {
			topics = append(topics, topic)
		}
	}
	return "logical_date IN (" + strings.Join(days, ", ") + ") AND topic IN (" + strings.Join(topics, ", ") + ")"
}

// quoted returns a text as a literal.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `\'`) + "'" }
