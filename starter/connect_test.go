package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/databricks/databricks-sdk-go/apierr"
	databrickssettings "github.com/databricks/databricks-sdk-go/config"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
)

var lost = &url.Error{Op: "Post", URL: "http://127.0.0.1:1/x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}

// s3Answer is an error of the AWS SDK: S3's answer with that status.
func s3Answer(status int, code string) error {
	return &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject", Err: &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: &smithy.GenericAPIError{Code: code, Message: "says S3"}}}}
}

func TestErrors_TellWhatCannotBeReachedFromWhatIsWrong(t *testing.T) {
	a := &app{settings: config.Config{Bucket: "pinflow", Brokers: []string{"kafka:9092"}}}
	ws := &workspace{host: "https://workspace"}
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://s3:9000")
	settings := &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject", Err: errors.New("get identity: get credentials: none")}
	for name, row := range map[string]struct {
		judge func(error) error
		err   error
		says  []string // none: it is not about reaching the system
	}{
		"Databricks down":           {ws.databricksError, fmt.Errorf("table x: %w", lost), []string{"Databricks at https://workspace", "make stack", "(dial tcp: connection refused)"}},
		"Databricks late":           {ws.databricksError, context.DeadlineExceeded, []string{"DATABRICKS_HOST"}},
		"Databricks fails":          {ws.databricksError, &apierr.APIError{StatusCode: 500, Message: "oops"}, []string{"make stack", "(oops)"}},
		"Databricks is busy":        {ws.databricksError, &apierr.APIError{StatusCode: 429}, []string{"Databricks"}},
		"Databricks token":          {ws.databricksError, &apierr.APIError{StatusCode: 403}, []string{"DATABRICKS_TOKEN"}},
		"Databricks settings":       {ws.databricksError, fmt.Errorf("default auth: %w", databrickssettings.ErrCannotConfigureDefault), []string{"set DATABRICKS_HOST and DATABRICKS_TOKEN"}},
		"Databricks request":        {ws.databricksError, &apierr.APIError{StatusCode: 400}, nil},
		"Databricks: not there":     {ws.databricksError, &apierr.APIError{StatusCode: 404}, nil},
		"a statement that failed":   {ws.databricksError, errors.New("[PARSE_SYNTAX_ERROR]"), nil},
		"no error of Databricks":    {ws.databricksError, nil, nil},
		"S3 down":                   {a.bucketError, fmt.Errorf("put: %w", lost), []string{"S3, bucket pinflow at http://s3:9000", "AWS_ENDPOINT_URL_S3", "(dial tcp: connection refused)"}},
		"S3 fails":                  {a.bucketError, s3Answer(503, "SlowDown"), []string{"S3", "says S3"}},
		"S3 credentials":            {a.bucketError, s3Answer(403, "SignatureDoesNotMatch"), []string{"check the AWS credentials", "(api error SignatureDoesNotMatch: says S3)"}},
		"S3 settings":               {a.bucketError, settings, []string{"set AWS_REGION", "(get identity: get credentials: none)"}},
		"S3: not there":             {a.bucketError, s3Answer(404, "NoSuchBucket"), nil},
		"no error of S3":            {a.bucketError, nil, nil},
		"Kafka down":                {a.topicsError, fmt.Errorf("%w: %w", kafka.ErrUnreachable, lost), []string{"Kafka at kafka:9092", "PINFLOW_KAFKA_BROKERS", "connection refused"}},
		"Kafka credentials":         {a.topicsError, kafkago.SASLAuthenticationFailed, []string{"refuses who is asking"}},
		"Kafka: topic is forbidden": {a.topicsError, kafkago.TopicAuthorizationFailed, []string{"refuses who is asking"}},
		"Kafka: wrong partitions":   {a.topicsError, kafkago.InvalidPartitionNumber, nil},
		"no error of Kafka":         {a.topicsError, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := row.judge(row.err)
			if row.says == nil {
				require.Equal(t, row.err, got)
				require.NotEqual(t, exitUnreachable, exitCode(got))
				return
			}
			require.Equal(t, exitUnreachable, exitCode(got))
			require.ErrorIs(t, got, row.err)
			for _, want := range row.says {
				require.ErrorContains(t, got, want)
			}
		})
	}
}

func TestExitCode_IsThatOfTheCause(t *testing.T) {
	for code, err := range map[int]error{
		exitDone:        nil,
		exitFailed:      errors.New("any"),
		exitUsage:       errors.Join(nil, usagef("wrong")),
		exitUnreachable: fmt.Errorf("setup: %w", &unreachableError{"Kafka", "start it", lost}),
		7:               errShown{7},
	} {
		require.Equal(t, code, exitCode(err))
	}
}
