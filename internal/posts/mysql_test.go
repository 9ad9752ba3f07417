package posts

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mariadb starts a MariaDB server of the test's own and returns the data source name of an empty
// database. Without a server the test is skipped, unless PINFLOW_REQUIRE_MARIADB
// is set, as in continuous integration.
func mariadb(t *testing.T) string {
	t.Helper()
	server, err := exec.LookPath("mariadbd")
	if err != nil {
		server, err = exec.LookPath("/usr/sbin/mariadbd")
	}
	if err != nil {
		if os.Getenv("PINFLOW_REQUIRE_MARIADB") != "" {
			t.Fatal("mariadbd is not installed, and PINFLOW_REQUIRE_MARIADB asks for it")
		}
		t.Skip("mariadbd is not installed: reading posts from a database is not tested here")
	}
	dir, err := os.MkdirTemp("", "pinflow-db-") // short: a socket's path has 107 bytes at most
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	me, err := user.Current()
	require.NoError(t, err)
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "s")
	run(t, exec.Command("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
		"--user="+me.Username, "--datadir="+data))
	cmd := exec.Command(server, "--no-defaults", "--skip-networking", "--innodb-buffer-pool-size=16M", "--user="+me.Username,
		"--datadir="+data, "--socket="+socket, "--pid-file="+filepath.Join(dir, "pid"))
	var logs bytes.Buffer
	cmd.Stderr = &logs
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it reports the kill
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	dsn := "root@unix(" + socket + ")/"
	db, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.Eventually(t, func() bool { return db.Ping() == nil }, time.Minute, 20*time.Millisecond)
	_, err = db.Exec("CREATE DATABASE pinterest CHARACTER SET utf8mb4")
	require.NoError(t, err)
	return dsn + "pinterest"
}

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func execute(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	db, err := sql.Open("mysql", dsn+"?multiStatements=true")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, statement := range statements {
		_, err := db.Exec(statement)
		require.NoError(t, err, "%.200s", statement)
	}
}

const schema = `
CREATE TABLE pinterest_data (` + "`index`" + ` BIGINT, unique_id TEXT, title TEXT, description TEXT, poster_name TEXT, follower_count TEXT,
  tag_list TEXT, is_image_or_video TEXT, image_src TEXT, downloaded BIGINT, save_location TEXT, category TEXT);
CREATE TABLE geolocation_data (ind BIGINT, timestamp DATETIME, latitude FLOAT, longitude FLOAT, country TEXT);
CREATE TABLE user_data (ind BIGINT, first_name TEXT, last_name TEXT, age BIGINT, date_joined DATETIME);`

func TestMySQL(t *testing.T) {
	t.Run("returns_rows_by_position_in_the_order_of_the_draws", func(t *testing.T) {
		dsn := mariadb(t)
		execute(t, dsn, schema)
		const rows = 3000 // the first draws that are there: 2863, 1313
		for _, table := range []string{
			"pinterest_data SELECT 50000 + seq, 'id', '\u2728 it''s \"quoted\"', 'a\nb', 'p', '12k', 't', 'image', 'src', 1, 'loc', 'art' FROM seq_0_to_%d",
			"geolocation_data SELECT 50000 + seq, '2022-03-15 01:46:32', -82.9272, 8, NULL FROM seq_0_to_%d",
			"user_data SELECT 50000 + seq, 'A', 'B', 27, '2016-03-08 13:38:37' FROM seq_0_to_%d",
		} {
			execute(t, dsn, "INSERT INTO "+fmt.Sprintf(table, rows-1))
		}
		s, err := OpenMySQL(context.Background(), dsn)
		require.NoError(t, err)
		require.Zero(t, s.Posts())
		for kind, want := range map[string]string{
			"pin": `{"index": 52863, "unique_id": "id", "title": "✨ it's \"quoted\"", "description": "a\nb", "poster_name": "p", "follower_count": "12k", ` +
				`"tag_list": "t", "is_image_or_video": "image", "image_src": "src", "downloaded": 1, "save_location": "loc", "category": "art"}`,
			"geo":  `{"ind": 52863, "timestamp": "2022-03-15 01:46:32", "latitude": -82.9272, "longitude": 8, "country": null}`,
			"user": `{"ind": 52863, "first_name": "A", "last_name": "B", "age": 27, "date_joined": "2016-03-08 13:38:37"}`,
		} {
			lines := take(t, s, kind, 2)
			require.Len(t, lines, 2)
			require.Equal(t, want, string(lines[0].Value))
			require.Equal(t, []string{"52863", "51313"}, []string{lines[0].Key, lines[1].Key})
		}

		again, err := OpenMySQL(context.Background(), dsn)
		require.NoError(t, err)
		require.Equal(t, s.Fingerprint(), again.Fingerprint())
		execute(t, dsn, "UPDATE user_data SET age = 28 WHERE ind = 52999")
		again, err = OpenMySQL(context.Background(), dsn)
		require.NoError(t, err)
		require.NotEqual(t, s.Fingerprint(), again.Fingerprint())

		execute(t, dsn, "DELETE FROM user_data")
		_, err = OpenMySQL(context.Background(), dsn)
		require.ErrorContains(t, err, "is empty")
		execute(t, dsn, "DROP TABLE geolocation_data")
		_, err = OpenMySQL(context.Background(), dsn)
		require.ErrorContains(t, err, "geolocation_data")
		require.NotErrorIs(t, err, ErrUnreachable)
	})

	t.Run("reports_an_invalid_data_source", func(t *testing.T) {
		_, err := OpenMySQL(context.Background(), "root:secret@nowhere")
		require.ErrorContains(t, err, "PINFLOW_MYSQL_DSN")
		require.NotContains(t, err.Error(), "secret")
		_, err = OpenMySQL(context.Background(), "root:secret@unix("+filepath.Join(t.TempDir(), "none")+")/pinterest")
		require.ErrorIs(t, err, ErrUnreachable)
		require.NotContains(t, err.Error(), "secret")
	})

	t.Run("values_have_the_format_of_the_original", func(t *testing.T) {
		for _, c := range []struct{ kind, value, want string }{
			{"DATETIME", "2022-03-15 01:46:32", `"2022-03-15 01:46:32"`},
			{"DATETIME", "2022-03-15 01:46:32.000", `"2022-03-15 01:46:32"`},
			{"TIMESTAMP", "2022-03-15 01:46:32.250", `"2022-03-15 01:46:32.250000"`},
			{"DATE", "2022-03-15", `"2022-03-15"`},
			{"UNSIGNED BIGINT", "18446744073709551615", `18446744073709551615`},
			{"DOUBLE", "1e-7", `1e-7`},
			{"DECIMAL", "12.50", `"12.50"`},
			{"TEXT", "5", `"5"`},
			{"BLOB", "\xff", "\"\ufffd\""},
		} {
			var o object
			addColumn(&o, "c", c.kind, sql.RawBytes(c.value))
			require.Equal(t, `{"c": `+c.want+`}`, string(o.end()), strings.Join([]string{c.kind, c.value}, " "))
		}
		var o object
		addColumn(&o, "c", "BIGINT", nil)
		require.Equal(t, `{"c": null}`, string(o.end()))
	})
}
