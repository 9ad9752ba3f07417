package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	kafkago "github.com/segmentio/kafka-go"
	"go.temporal.io/sdk/temporal"
)

// Types of the errors that fail a task for good: Temporal does not run the activity again. A new try of the task may still help.
const (
	// ErrorInput is input that no attempt can mend, for example a date in the future.
	ErrorInput = "InvalidInput"
	// ErrorTopicMissing is a topic that Kafka does not have.
	ErrorTopicMissing = "TopicMissing"
	// ErrorOffsetsGone is a range that Kafka's retention has deleted before it was landed.
	ErrorOffsetsGone = "OffsetsGone"
	// ErrorTopicReplaced is a topic that ends before offsets that were planned or landed: it was deleted and made anew, or truncated.
	ErrorTopicReplaced = "TopicReplaced"
	// ErrorContradiction is a state of the bucket that landing never writes: objects with a hole between them, crossed boundaries.
	ErrorContradiction = "Contradiction"
	// ErrorDenied is a system that refuses who is asking.
	ErrorDenied = "AccessDenied"
	// ErrorSettings is a setting that does not fit the system, as the name of a bucket that is not there.
	ErrorSettings = "Settings"
	// ErrorNotebookFailed is a notebook's run that ended without success. Its details are a NotebookFailure.
	ErrorNotebookFailed = "NotebookFailed"
	// ErrorNotebookConflict is a run that lost a table to another writer (DELTA_CONCURRENT_…): a new try is likely to succeed.
	// Its details are a NotebookFailure.
	ErrorNotebookConflict = "NotebookConflict"
)

// final makes an error after which Temporal does not run the activity again. The message says what the reader can do next.
func final(kind string, cause error, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, cause)
}

// settled says whether the error needs no judging: it has been judged already, or the activity is to end.
func settled(ctx context.Context, err error) bool {
	var judged *temporal.ApplicationError
	return errors.As(err, &judged) || ctx.Err() != nil
}

// classifyKafka judges an error of Kafka while doing something: final with what to do next, or to be tried again by Temporal.
func classifyKafka(ctx context.Context, doing string, err error) error {
	if err == nil || settled(ctx, err) {
		return err
	}
	var code kafkago.Error
	if errors.As(err, &code) {
		switch code {
		case kafkago.UnknownTopicOrPartition, kafkago.InvalidTopic:
			return final(ErrorTopicMissing, err, "%s: Kafka has no such topic: run `starter setup`, or set PINFLOW_USER_ID to the topics' prefix", doing)
		case kafkago.TopicAuthorizationFailed, kafkago.GroupAuthorizationFailed, kafkago.ClusterAuthorizationFailed,
			kafkago.SASLAuthenticationFailed, kafkago.UnsupportedSASLMechanism, kafkago.IllegalSASLState:
			return final(ErrorDenied, err, "%s: Kafka refuses the worker: check its credentials and the topic's access rules: %v", doing, err)
		}
	}
	return fmt.Errorf("%s: Kafka does not answer as it should, it is tried again; check the brokers if this goes on: %w", doing, err)
}

// classifyS3 judges an error of S3 while doing something: final with what to do next, or to be tried again by Temporal.
func classifyS3(ctx context.Context, doing string, err error) error {
	if err == nil || settled(ctx, err) {
		return err
	}
	var named smithy.APIError
	if errors.As(err, &named) {
		switch named.ErrorCode() {
		case "NoSuchBucket":
			return final(ErrorSettings, err, "%s: the bucket is not there: run `starter setup`, or correct PINFLOW_BUCKET", doing)
		case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
			return final(ErrorSettings, err, "%s: the bucket is in another region: correct AWS_REGION: %v", doing, err)
		}
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		switch answer.HTTPStatusCode() {
		case http.StatusUnauthorized, http.StatusForbidden:
			return final(ErrorDenied, err, "%s: S3 refuses the worker: check its credentials and its rights to the bucket: %v", doing, err)
		}
	}
	return fmt.Errorf("%s: S3 does not answer as it should, it is tried again; check the bucket's endpoint if this goes on: %w", doing, err)
}

// classifyDatabricks judges an error of Databricks while doing something: final with what to do next, or to be tried again by Temporal.
func classifyDatabricks(ctx context.Context, doing string, err error) error {
	if err == nil || settled(ctx, err) {
		return err
	}
	var answer *apierr.APIError
	if errors.As(err, &answer) && answer.StatusCode < 500 {
		switch {
		case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
			return final(ErrorDenied, err, "%s: Databricks refuses the worker: check DATABRICKS_HOST, DATABRICKS_TOKEN and the rights of its user: %v", doing, err)
		case errors.Is(err, apierr.ErrNotFound):
			return final(ErrorSettings, err, "%s: Databricks does not find it: run `starter notebooks push`, and check PINFLOW_NOTEBOOKS and PINFLOW_COMPUTE: %v", doing, err)
		case lasts(err):
			return final(ErrorSettings, err, "%s: Databricks takes the request for wrong: check PINFLOW_COMPUTE and the parameters: %v", doing, err)
		}
	}
	return fmt.Errorf("%s: Databricks does not answer as it should, it is tried again: %w", doing, err)
}
