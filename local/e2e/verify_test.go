package e2e

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/starter/verify"
)

// What a run leaves behind is proven record by record, and damage to it is found, by the real
// clients of S3, Kafka and Databricks.
func TestVerify(t *testing.T) {
	t.Parallel()
	t.Run("proves_a_run_and_finds_damage", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		lines := wire.lines(t)
		s.post(lines, 0, 1)
		s.must("run", today(), "--wait")
		report := s.verified(0, "verify", today())
		require.True(t, report.Proven, "%+v\n%+v", report.Problems, report.Unchecked)
		records := int64(0)
		for _, landed := range report.Topics {
			require.Equal(t, verify.Partial, landed.State)
			require.Equal(t, landed.Records, landed.Kafka)
			require.Equal(t, landed.Records, landed.Tables.Raw)
			require.Equal(t, landed.Tables.Records, landed.Tables.Rows+landed.Tables.Quarantined+landed.Tables.Older)
			records += landed.Records
		}
		posted := 0
		for _, kind := range lines {
			posted += len(kind)
		}
		require.EqualValues(t, posted, records)
		t.Log(s.must("verify", "--all"))

		// A row of raw goes, and a row of silver comes twice.
		schema := strings.ReplaceAll(string(s.deployment()), "-", "_")
		s.sql("DELETE FROM " + schema + ".raw WHERE topic LIKE '%.geo' AND topic_partition = 0 AND topic_offset = 3")
		s.sql("CREATE TABLE " + schema + ".copied AS SELECT * FROM " + schema + ".user_by_date WHERE reason IS NULL ORDER BY topic_partition, topic_offset LIMIT 1")
		s.sql("INSERT INTO " + schema + ".user_by_date SELECT * FROM " + schema + ".copied")
		// An object loses its last line.
		objects := s.bucket()
		listed, err := objects.List(t.Context(), bucket.ListInput{Prefix: "topics/" + s.setting("PINFLOW_USER_ID") + ".pin/dt=" + today() + "/partition=0/"})
		require.NoError(t, err)
		key := listed[0].Key
		info, err := objects.Head(t.Context(), key)
		require.NoError(t, err)
		body, err := objects.Get(t.Context(), key)
		require.NoError(t, err)
		cut := body[:bytes.LastIndexByte(body[:len(body)-1], '\n')+1]
		require.NoError(t, objects.Put(t.Context(), bucket.PutInput{Key: key, Body: cut, Metadata: info.Metadata}))

		report = s.verified(1, "verify", today())
		said := ""
		for _, p := range report.Problems {
			said += p.Topic + " " + p.Table + ": " + p.What + "\n"
		}
		require.Contains(t, said, "it lacks offset 3")
		require.Contains(t, said, "a record has several rows")
		require.Contains(t, said, "the content is not what landed")
		require.Contains(t, said, "the object has no line for offset")
		_, table, _ := s.starter("verify", today())
		t.Log(table)
	})
}

// verified runs starter verify, which has to exit with that code.
func (s *system) verified(code int, args ...string) (report verify.Report) {
	s.t.Helper()
	got, stdout, stderr := s.starter(append(args, "-o", "json")...)
	require.Equal(s.t, code, got, "%s\n%s", stdout, stderr)
	require.NoError(s.t, json.Unmarshal([]byte(stdout), &report))
	return report
}

// bucket is the system's bucket.
func (s *system) bucket() bucket.Objects {
	s.t.Helper()
	objects, err := s3.New(s.t.Context(), config.Config{Deployment: s.deployment(), Bucket: s.setting("PINFLOW_BUCKET"), S3PathStyle: true})
	require.NoError(s.t, err)
	return objects
}

// sql runs a statement in the workspace.
func (s *system) sql(statement string) {
	s.t.Helper()
	client, err := databricks.NewWorkspaceClient(&databricks.Config{Host: s.setting("DATABRICKS_HOST"), Token: s.setting("DATABRICKS_TOKEN")})
	require.NoError(s.t, err)
	result, err := client.StatementExecution.ExecuteAndWait(s.t.Context(), sql.ExecuteStatementRequest{WarehouseId: s.setting("PINFLOW_WAREHOUSE_ID"), Statement: statement})
	require.NoError(s.t, err)
	require.Equal(s.t, sql.StatementStateSucceeded, result.Status.State, "%s", statement)
}
