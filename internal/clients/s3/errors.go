package s3

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/fault"
)

// Classify turns an error of S3 into a *fault.Error. It returns bucket.ErrNotFound,
// bucket.ErrExists and errors that are not S3's unchanged.
func Classify(err error) error {
	if err == nil || errors.Is(err, bucket.ErrNotFound) || errors.Is(err, bucket.ErrExists) || fault.KindOf(err) != fault.Unknown {
		return err
	}
	classified := func(kind fault.Kind, what, next string) error {
		return &fault.Error{Kind: kind, What: what, Next: next, Err: err}
	}
	var named smithy.APIError
	if errors.As(err, &named) {
		switch named.ErrorCode() {
		case "NoSuchBucket":
			return classified(fault.Missing, system()+" does not have the bucket", "run `starter setup`, or set PINFLOW_BUCKET")
		case "InvalidBucketName", "InvalidArgument", "InvalidRequest", "EntityTooLarge", "MethodNotAllowed":
			return classified(fault.Invalid, system()+" rejected the request", "check PINFLOW_BUCKET and AWS_ENDPOINT_URL_S3")
		case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
			return classified(fault.Invalid, "the bucket is in another region", "set AWS_REGION to the region of the bucket")
		}
	}
	switch code := status(err); {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return classified(fault.Unauthenticated, system()+" rejected the credentials", "check the AWS credentials and their permissions for the bucket")
	case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return classified(fault.Unreachable, system()+" is unavailable", fmt.Sprintf("it responded with status %d: try again later", code))
	case code == 0 && fault.NoAnswer(err):
		return classified(fault.Unreachable, "cannot reach "+system(), "is the stack up? start it with `make stack`, or set AWS_ENDPOINT_URL_S3 (only for a server other than AWS)")
	case code >= http.StatusBadRequest:
		// A conflict of two writers, a request that was too slow, an expired token: a retry may succeed.
		return classified(fault.Unreachable, system()+" did not carry out the request", fmt.Sprintf("it responded with status %d: try again", code))
	case unset(err):
		return classified(fault.Unset, "S3 is not configured", "set AWS_REGION, and AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY or another source of credentials")
	}
	return err
}

// system names the server that requests go to.
func system() string {
	if endpoint := os.Getenv("AWS_ENDPOINT_URL_S3"); endpoint != "" {
		return "S3 at " + endpoint
	}
	return "S3"
}

// status returns the HTTP status of S3's answer, or 0 if there was none.
func status(err error) int {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// unset reports whether the AWS SDK found no region, credentials or endpoint. It has no error types
// for them.
func unset(err error) bool {
	for _, step := range []string{"get identity: ", "resolve auth scheme: ", "failed to resolve service endpoint"} {
		if strings.Contains(err.Error(), step) {
			return true
		}
	}
	return false
}
