package posts

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"
)

// tables maps kinds to the tables of the database.
var tables = map[string]string{"pin": "pinterest_data", "geo": "geolocation_data", "user": "user_data"}

// database holds the rows of a MySQL or MariaDB database in memory: the rows that can be drawn are
// some megabytes, and for each SELECT … LIMIT row, 1 the server would read half a table.
type database struct {
	name        string
	fingerprint string
	rows        map[string][][]byte
	count       int // the number of rows that all tables have
}

// OpenMySQL reads the tables pinterest_data, geolocation_data and user_data. The data source name
// is that of go-sql-driver/mysql, as in user:password@tcp(host:3306)/database. As in the original's
// SELECT * FROM table LIMIT row, 1, the number of a row is its position in the server's order. Rows
// that a table does not have are not drawn.
func OpenMySQL(ctx context.Context, dataSource string) (Source, error) {
	config, err := mysql.ParseDSN(dataSource)
	if err != nil { // the driver's message does not contain the password
		return nil, fmt.Errorf("PINFLOW_MYSQL_DSN: %w: write it as user:password@tcp(host:3306)/database", err)
	}
	config.ParseTime = false // DATETIME as text, as it is stored: it has no time zone
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("PINFLOW_MYSQL_DSN: %w", err)
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }() // all rows have been read

	s := &database{name: config.DBName + " on " + config.Addr, rows: map[string][][]byte{}}
	hash := sha256.New()
	for _, kind := range Kinds {
		rows, err := readTable(ctx, db, tables[kind])
		if err != nil {
			return nil, fmt.Errorf("read table %s of %s: %w", tables[kind], s.name, unreachable(err))
		}
		if len(rows) == 0 {
			return nil, fmt.Errorf("table %s of %s is empty; there is nothing to post", tables[kind], s.name)
		}
		for _, row := range rows {
			fmt.Fprintf(hash, "%s %d %s\n", kind, len(row), row)
		}
		s.rows[kind] = rows
		if s.count == 0 || len(rows) < s.count {
			s.count = len(rows)
		}
	}
	s.fingerprint = "mysql-" + hex.EncodeToString(hash.Sum(nil))
	return s, nil
}

// unreachable adds ErrUnreachable to errors of the connection.
func unreachable(err error) error {
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

func (s *database) Name() string        { return "database " + s.name }
func (s *database) Fingerprint() string { return s.fingerprint }
func (s *database) Posts() int          { return 0 }

func (s *database) Lines(ctx context.Context, kind string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		post := 0
		for row := range Draws(s.count) {
			if ctx.Err() != nil {
				yield(Line{}, context.Cause(ctx))
				return
			}
			line := Line{Kind: kind, Post: post, Value: s.rows[kind][row], Origin: fmt.Sprintf("row %d of table %s", row, tables[kind])}
			line.Key, _ = keyOf(kind, line.Value)
			if !yield(line, nil) {
				return
			}
			post++
		}
	}
}

// readTable reads the rows that can be drawn, as JSON objects with the columns in their order.
func readTable(ctx context.Context, db *sql.DB, table string) ([][]byte, error) {
	// Without arguments the driver uses the text protocol, in which all values are texts.
	result, err := db.QueryContext(ctx, "SELECT * FROM `"+table+"` LIMIT "+strconv.Itoa(lastDraw+1))
	if err != nil {
		return nil, err
	}
	defer func() { _ = result.Close() }() // result.Err has the error
	columns, err := result.ColumnTypes()
	if err != nil {
		return nil, err
	}
	values := make([]sql.RawBytes, len(columns))
	targets := make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var rows [][]byte
	for result.Next() {
		if err := result.Scan(targets...); err != nil {
			return nil, err
		}
		var o object
		for i, column := range columns {
			addColumn(&o, column.Name(), column.DatabaseTypeName(), values[i])
		}
		rows = append(rows, o.end())
	}
	return rows, result.Err()
}

// addColumn adds a value like Python's json.dumps(row, default=str): numbers as numbers, DECIMAL,
// dates and times as texts, NULL as null.
func addColumn(o *object, name, kind string, value sql.RawBytes) {
	switch text := string(value); {
	case value == nil:
		o.raw(name, "null")
	case isNumeric(kind) && utf8.ValidString(text) && isOneValue(value):
		o.raw(name, text)
	case kind == "DATETIME" || kind == "TIMESTAMP":
		o.text(name, pythonTime(text))
	default:
		o.text(name, text)
	}
}

// isNumeric reports whether values of a column's type become JSON numbers.
func isNumeric(kind string) bool {
	switch strings.TrimPrefix(kind, "UNSIGNED ") {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "YEAR":
		return true
	}
	return false
}

// pythonTime formats a time like Python's str: a fraction has six digits, and is left out if it is
// zero.
func pythonTime(text string) string {
	whole, fraction, found := strings.Cut(text, ".")
	if !found || strings.Trim(fraction, "0") == "" {
		return whole
	}
	return whole + "." + (fraction + "000000")[:6]
}
