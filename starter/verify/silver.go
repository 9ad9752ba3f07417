package verify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/answers"
)

// What a statement finds of a place: a record of raw, a row of <kind>_by_date, or both.
const (
	foundRow         = "row"
	foundQuarantined = "quarantined"
	foundOlder       = "older"
	foundMissing     = "missing"
	foundUnjudged    = "missing from quarantine"
	foundKept        = "older row"
	foundDoubled     = "doubled"
	foundUnknown     = "unknown"
	foundOtherwise   = "otherwise"
)

// examples is how many places of each finding are named.
const examples = 3

// countSilver compares the rows of <kind>_by_date with the records of raw: each rejected record and
// the latest valid one of each post has one row, and all others are older versions. The rules are
// those of the notebook of this build.
func (v *Verifier) countSilver(ctx context.Context, b batch) error {
	judge, ok := v.judge(b.kind)
	if !ok {
		for _, d := range b.days {
			d.unproven("table "+b.kind+"_by_date", "no notebook of this build judges the records of "+b.kind)
		}
		return nil
	}
	rows, err := v.Warehouse.Query(ctx, v.silverStatement(b, judge))
	if errors.Is(err, answers.ErrMissing) {
		for _, d := range b.days {
			if d.landed.Tables.Raw > 0 {
				d.problem(Problem{Table: v.Warehouse.Name(b.kind + "_by_date"), What: fmt.Sprintf("the table does not exist, and raw has %d rows of the date", d.landed.Tables.Raw), Next: d.runAgain() + " cleans them"})
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	found := map[string][][]string{}
	otherwise := map[string]string{} // a place that was judged otherwise, by date
	for _, row := range rows {
		if len(row) != 7 {
			return fmt.Errorf("table %s_by_date: a row has %d values, want 7", b.kind, len(row))
		}
		if row[2] == foundOtherwise && otherwise[row[0]] == "" {
			otherwise[row[0]] = fmt.Sprintf("%s of %s, as that of the record %s:%s", row[3], row[1], row[4], row[5])
		}
		found[row[0]+" "+row[1]] = append(found[row[0]+" "+row[1]], row[1:])
	}
	for _, d := range b.days {
		if err := d.compareSilver(b.kind, found[string(d.date)+" "+d.topic], otherwise[string(d.date)]); err != nil {
			return err
		}
	}
	return nil
}

// judged matches the statement of a notebook that judges all records of a kind.
var judged = regexp.MustCompile(`(?s)CREATE OR REPLACE TEMPORARY VIEW (\w+)_records AS\n(.*?);\n`)

// fromRaw matches where it reads raw: statements of the warehouse name the schema.
var fromRaw = regexp.MustCompile(`\bFROM raw\b`)

// judge returns the query of all records of a kind, with the reasons for which they are rejected.
func (v *Verifier) judge(kind string) (query string, ok bool) {
	for _, notebook := range v.Notebooks {
		if match := judged.FindStringSubmatch(notebook.Source); match != nil && match[1] == kind {
			return fromRaw.ReplaceAllLiteralString(match[2], "FROM "+v.Warehouse.Name(rawTable)), true
		}
	}
	return "", false
}

// silverStatement counts the places of some dates by what is found of them, with examples.
func (v *Verifier) silverStatement(b batch, judge string) string {
	kept := []string{"DATE'0001-01-01'"} // a list must not be empty
	for _, d := range b.days {
		if d.keepsInvalid {
			kept = append(kept, "DATE'"+string(d.date)+"'")
		}
	}
	return strings.NewReplacer("{judge}", judge, "{where}", b.where(), "{kept}", strings.Join(kept, ", "),
		"{stored}", v.Warehouse.Name(b.kind+"_by_date"), "{examples}", strconv.Itoa(examples)).Replace(silverQuery)
}

const silverQuery = `
WITH records AS (
  SELECT logical_date, topic, topic_partition, topic_offset, topic_timestamp, element, file, ind,
    CASE WHEN NOT (reason = 'follower_count' AND logical_date IN ({kept})) THEN reason END AS rule
  FROM ({judge}) AS judged
  WHERE {where}
), ranked AS (
  SELECT logical_date, topic, topic_partition, topic_offset, element, file, rule,
    row_number() OVER (PARTITION BY logical_date, ind, CASE WHEN rule IS NULL THEN 'valid' ELSE 'rejected' END
      ORDER BY topic_timestamp DESC, topic_offset DESC, topic_partition DESC, element DESC, topic DESC, file DESC) AS latest
  FROM records
), stored AS (
  SELECT logical_date, topic, topic_partition, topic_offset, element, file, max(reason) AS reason, count(*) AS copies
  FROM {stored}
  WHERE {where}
  GROUP BY logical_date, topic, topic_partition, topic_offset, element, file
), matched AS (
  SELECT coalesce(ranked.logical_date, stored.logical_date) AS logical_date, coalesce(ranked.topic, stored.topic) AS topic, coalesce(ranked.topic_partition, stored.topic_partition) AS topic_partition,
    coalesce(ranked.topic_offset, stored.topic_offset) AS topic_offset, coalesce(ranked.element, stored.element) AS element,
    CASE
      WHEN ranked.latest IS NULL THEN 'unknown'
      WHEN stored.copies > 1 THEN 'doubled'
      WHEN stored.copies IS NULL AND ranked.rule IS NOT NULL THEN 'missing from quarantine'
      WHEN stored.copies IS NULL AND ranked.latest = 1 THEN 'missing'
      WHEN stored.copies IS NULL THEN 'older'
      WHEN coalesce(stored.reason, '') <> coalesce(ranked.rule, '') THEN 'otherwise'
      WHEN stored.reason IS NOT NULL THEN 'quarantined'
      WHEN ranked.latest > 1 THEN 'older row'
      ELSE 'row'
    END AS finding
  FROM ranked
  FULL OUTER JOIN stored ON ranked.logical_date = stored.logical_date AND ranked.topic = stored.topic AND ranked.topic_partition = stored.topic_partition
    AND ranked.topic_offset = stored.topic_offset AND ranked.element = stored.element AND ranked.file = stored.file
)
SELECT CAST(logical_date AS STRING), topic, finding, n, topic_partition, topic_offset, element
FROM (
  SELECT logical_date, topic, finding, topic_partition, topic_offset, element, count(*) OVER (PARTITION BY logical_date, topic, finding) AS n,
    row_number() OVER (PARTITION BY logical_date, topic, finding ORDER BY topic_partition, topic_offset, element) AS example
  FROM matched
) AS counted
WHERE example <= {examples}
ORDER BY 1, 2, 3, 5, 6, 7`

// silverFinding is how many places have a finding, and the first of them.
type silverFinding struct {
	n         int64
	partition int
	offset    int64
	places    []string
}

// compareSilver notes what was found of a date.
func (d *day) compareSilver(kind string, rows [][]string, otherwise string) error {
	found := map[string]silverFinding{}
	for _, row := range rows {
		var numbers [4]int64
		for i := range numbers {
			var err error
			if numbers[i], err = strconv.ParseInt(row[2+i], 10, 64); err != nil {
				return fmt.Errorf("table %s_by_date: %q is not a number", kind, row[2+i])
			}
		}
		one, ok := found[row[1]]
		if !ok {
			one = silverFinding{n: numbers[0], partition: int(numbers[1]), offset: numbers[2]}
		}
		place := fmt.Sprintf("%d:%d", numbers[1], numbers[2])
		if numbers[3] > 0 {
			place += fmt.Sprintf("[%d]", numbers[3])
		}
		one.places = append(one.places, place)
		found[row[1]] = one
	}
	d.count(found)
	d.judgeSilver(d.Warehouse.Name(kind+"_by_date"), found, otherwise)
	return nil
}

// count adds what was found of a kind; the records of posts are of all kinds.
func (d *day) count(found map[string]silverFinding) {
	d.found.Lock()
	defer d.found.Unlock()
	t := d.landed.Tables
	if t == nil { // another kind of the date could not be counted
		return
	}
	t.Rows += found[foundRow].n
	t.Quarantined += found[foundQuarantined].n
	t.Older += found[foundOlder].n
	for finding, one := range found {
		if finding != foundUnknown {
			t.Records += one.n
		}
	}
}

// judgeSilver notes what is wrong. If rows were judged by other rules than those of this build, it is
// not known which records are missing.
func (d *day) judgeSilver(table string, found map[string]silverFinding, otherwise string) {
	wrong := func(finding, one, many string) {
		of, ok := found[finding]
		if !ok {
			return
		}
		what := one
		if of.n > 1 {
			what = fmt.Sprintf("%d %s", of.n, many)
		}
		places := strings.Join(of.places, ", ")
		if more := of.n - int64(len(of.places)); more > 0 {
			places += fmt.Sprintf(" and %d more", more)
		}
		d.problem(Problem{Partition: &of.partition, Offset: &of.offset, Table: table, What: what + ": " + places,
			Next: d.runAgain() + " cleans the date again, which replaces its rows"})
	}
	wrong(foundDoubled, "a record has several rows", "records have several rows")
	wrong(foundUnknown, "a row is of no record in raw", "rows are of no record in raw")
	if otherwise != "" {
		d.unproven("table "+table, "rows were judged by other rules or parameters than those of this build and of the latest run ("+otherwise+"): "+d.runAgain()+" cleans the date by them")
		return
	}
	wrong(foundMissing, "a record is neither in silver nor in quarantine, and no later one of its post is", "records are neither in silver nor in quarantine, and no later ones of their posts are")
	wrong(foundUnjudged, "a rejected record is not in quarantine", "rejected records are not in quarantine")
	wrong(foundKept, "a row of silver is older than another record of its post", "rows of silver are older than other records of their posts")
}
