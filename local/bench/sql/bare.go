package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	_ "github.com/duckdb/duckdb-go/v2" // the driver
)

// bare measures the yardstick: DuckDB alone reads the objects and parses their lines, and parses the
// records in them, and keeps nothing.
func bare(ctx context.Context, j job, step func(string, func() error) error) error {
	db, err := sql.Open("duckdb", "?"+url.Values{"threads": {strconv.Itoa(j.Threads)}, "preserve_insertion_order": {"false"}}.Encode())
	if err != nil {
		return err
	}
	err = step("read and parse the lines", func() error {
		return parseLines(ctx, db, j, "max(length(value)), max(topic), max(partition), max(\"offset\"), max(timestamp)", nil)
	})
	if err == nil {
		err = step("and the records in them", func() error {
			return parseLines(ctx, db, j, "count(record)", map[string]string{
				"pin": `{"index":"VARCHAR","unique_id":"VARCHAR","title":"VARCHAR","description":"VARCHAR","follower_count":"VARCHAR","poster_name":"VARCHAR",` +
					`"tag_list":"VARCHAR","is_image_or_video":"VARCHAR","image_src":"VARCHAR","save_location":"VARCHAR","category":"VARCHAR"}`,
				"geo":  `{"ind":"VARCHAR","timestamp":"VARCHAR","latitude":"VARCHAR","longitude":"VARCHAR","country":"VARCHAR"}`,
				"user": `{"ind":"VARCHAR","first_name":"VARCHAR","last_name":"VARCHAR","age":"VARCHAR","date_joined":"VARCHAR"}`,
			})
		})
	}
	return errors.Join(err, db.Close())
}

// parseLines reads the objects of all topics; structures are those of the records, if they are parsed.
func parseLines(ctx context.Context, db *sql.DB, j job, columns string, structures map[string]string) error {
	for _, kind := range []string{"pin", "geo", "user"} {
		record := ""
		if structures != nil {
			record = ", json_transform(value, '" + structures[kind] + "') AS record"
		}
		files := filepath.Join(j.Objects, "topics", user+"."+kind, "dt="+date, "*", "*.json")
		query := fmt.Sprintf(`SELECT %s FROM (SELECT *%s FROM read_ndjson('%s', columns = {topic: 'VARCHAR', partition: 'INTEGER', "offset": 'BIGINT', `+
			`timestamp: 'BIGINT', value: 'VARCHAR', text: 'VARCHAR', elements: 'VARCHAR[]'}))`, columns, record, files)
		rows, err := db.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	return nil
}
