package engine

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// lockdown keeps statements from the files of the user, the network and the settings of the process.
// DuckDB goes on to open its own database and its temporary directory, so that the settings that name
// these come before. Sessions may set their time zone, as on Databricks, and no other setting.
var lockdown = []string{
	"SET GLOBAL TimeZone = 'UTC'",
	"SET GLOBAL allow_persistent_secrets = false",
	"SET GLOBAL enable_external_access = false",
	"SET GLOBAL allowed_configs = ['timezone']",
	"SET GLOBAL lock_configuration = true",
}

// relations are the table functions of DuckDB that statements may call: those that compute rows from
// their arguments.
var relations = []string{"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"}

// foreignFunctions returns DuckDB's table functions that statements may not call. They read and
// write files, take pointers, run texts as statements, which this package could not judge, or change
// the process: enable_logging with a directory that cannot be written ends it. The list is DuckDB's
// own, so that a function of a newer version is refused, too.
func foreignFunctions(ctx context.Context, conn *sql.Conn) (map[string]bool, error) {
	rows, err := conn.QueryContext(ctx, "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type = 'table'")
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // it is read to its end
	foreign := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		foreign[name] = !slices.Contains(relations, name)
	}
	return foreign, rows.Err()
}

// namesTable are the words before the name of a table, which may be that of a function and have its
// columns in brackets: INSERT INTO summary (a, b).
var namesTable = []string{"INTO", "TABLE", "VIEW", "EXISTS", "OVERWRITE", "WITH"}

// refuseFunction returns an error for the name at toks[i], which ends before toks[after], if it is
// that of a table function of DuckDB, and is called.
func (r *rewriter) refuseFunction(name string, toks []token, i, after int) error {
	if !r.foreign[strings.ToLower(name)] || at(toks, after).text != "(" || slices.Contains(namesTable, previous(toks, i)) {
		return nil
	}
	return fmt.Errorf("[UNRESOLVED_ROUTINE] Cannot resolve routine `%s`: it is a function of DuckDB, not of Databricks SQL, which statements may not call here; "+
		"objects are read with read_files('s3://…'). SQLSTATE: 42883", name)
}

// previous returns the word before toks[i] in upper case.
func previous(toks []token, i int) string {
	if k := before(toks, i); k >= 0 {
		return toks[k].upper()
	}
	return ""
}

// explainAccess returns the message of an error of the lockdown, with what to do instead.
func explainAccess(message string) (string, bool) {
	switch first, _, _ := strings.Cut(message, "\n"); {
	case strings.HasPrefix(first, "Permission Error: Cannot access"):
		return "[INSUFFICIENT_PERMISSIONS] " + strings.TrimPrefix(first, "Permission Error: ") +
			": statements read objects only, with read_files('s3://…'), and write tables only. SQLSTATE: 42501", true
	case strings.Contains(first, "the configuration has been locked"):
		_, rest, _ := strings.Cut(first, `"`)
		name, _, _ := strings.Cut(rest, `"`)
		return "[CANNOT_MODIFY_CONFIG] Cannot modify the value of the configuration \"" + name + "\": sessions may set the time zone only. SQLSTATE: 46110", true
	}
	return "", false
}
