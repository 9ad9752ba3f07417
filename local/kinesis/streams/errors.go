package streams

import "fmt"

// AccountID is the account of the emulator, in ARNs and messages.
const AccountID = "000000000000"

// Error is an error that Kinesis documents, by its code.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func failure(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *Error {
	return failure("ResourceNotFoundException", format, args...)
}

func streamNotFound(name string) *Error {
	return notFound("Stream %s under account %s not found.", name, AccountID)
}

func inUse(format string, args ...any) *Error {
	return failure("ResourceInUseException", format, args...)
}

// Invalid returns the error of an argument that does not fit the stream.
func Invalid(format string, args ...any) *Error {
	return failure("InvalidArgumentException", format, args...)
}

// Unfit returns the error of an argument that no request may have.
func Unfit(format string, args ...any) *Error {
	return failure("ValidationException", format, args...)
}

func exceeded(format string, args ...any) *Error {
	return failure("LimitExceededException", format, args...)
}

func throttled(stream string, shard int) *Error {
	return failure("ProvisionedThroughputExceededException", "Rate exceeded for shard %s in stream %s under account %s.", ShardID(shard), stream, AccountID)
}

// violates returns the error of a value that violates a constraint of the API's model, in its words.
func violates(member string, value any, constraint string) *Error {
	return Unfit("1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}
