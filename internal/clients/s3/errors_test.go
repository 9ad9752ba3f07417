package s3

import (
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
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/fault"
)

// operation returns an error as the AWS SDK wraps it.
func operation(err error) error {
	return &smithy.OperationError{ServiceID: "S3", OperationName: "PutObject", Err: err}
}

// answer returns the error of an answer with that status.
func answer(status int, code string) error {
	return operation(&awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}},
		Err:      &smithy.GenericAPIError{Code: code, Message: "says S3"},
	}})
}

func TestClassify(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://s3:9000")
	refused := &url.Error{Op: "Post", URL: "http://127.0.0.1:1/x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	for name, row := range map[string]struct {
		err  error
		kind fault.Kind
		says []string
	}{
		"down":         {fmt.Errorf("put: %w", refused), fault.Unreachable, []string{"S3 at http://s3:9000", "AWS_ENDPOINT_URL_S3", "connection refused"}},
		"busy":         {answer(503, "SlowDown"), fault.Unreachable, []string{"S3", "says S3"}},
		"too many":     {answer(429, "TooManyRequests"), fault.Unreachable, []string{"status 429", "try again later"}},
		"credentials":  {answer(403, "SignatureDoesNotMatch"), fault.Unauthenticated, []string{"check the AWS credentials", "api error SignatureDoesNotMatch: says S3"}},
		"settings":     {operation(errors.New("get identity: get credentials: none")), fault.Unset, []string{"set AWS_REGION", "get identity: get credentials: none"}},
		"no bucket":    {answer(404, "NoSuchBucket"), fault.Missing, []string{"starter setup", "PINFLOW_BUCKET"}},
		"other region": {answer(301, "PermanentRedirect"), fault.Invalid, []string{"AWS_REGION"}},
		"request":      {answer(400, "InvalidArgument"), fault.Invalid, []string{"rejected the request"}},
		"two writers":  {answer(409, "ConditionalRequestConflict"), fault.Unreachable, []string{"status 409", "try again"}},
		"slow":         {answer(400, "RequestTimeout"), fault.Unreachable, []string{"try again"}},
		"old token":    {answer(400, "ExpiredToken"), fault.Unreachable, []string{"try again"}},
		"no object":    {bucket.ErrNotFound, fault.Unknown, nil},
		"an object":    {bucket.ErrExists, fault.Unknown, nil},
		"any other":    {errors.New("unexpected end of JSON input"), fault.Unknown, nil},
		"none":         {nil, fault.Unknown, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Classify(row.err)
			require.Equal(t, row.kind, fault.KindOf(got))
			if row.says == nil {
				require.Equal(t, row.err, got)
				return
			}
			require.ErrorIs(t, got, row.err)
			for _, want := range row.says {
				require.ErrorContains(t, got, want)
			}
			require.Equal(t, got, Classify(got), "an error is put into words once")
		})
	}
}
