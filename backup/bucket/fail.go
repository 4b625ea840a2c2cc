package bucket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"sandkeeper/backup/archive"
)

// Kind is what went wrong with a bucket, in one word.
type Kind string

// The kinds of failures.
const (
	Unreachable Kind = "bucket_unreachable" // the server did not answer, or not to the end
	Busy        Kind = "bucket_busy"        // it answered that it cannot now
	Denied      Kind = "bucket_denied"      // it does not know the credentials, or does not let them
	Skewed      Kind = "clock_skew"         // its clock and ours differ too much for it to believe a signature
	NoBucket    Kind = "bucket_missing"     // there is no such bucket
	NoLock      Kind = "bucket_without_lock"
	Failed      Kind = "bucket_failed" // anything else
)

// Error says which object of a bucket something could not be done with, and why.
type Error struct {
	Kind   Kind
	Op     string // list, read, write, remove, …
	Object string // as people write it: s3://bucket/key
	Hint   string // the next command
	Err    error
}

// Error names operation, object and cause.
func (e *Error) Error() string { return fmt.Sprintf("%s %s: %s", e.Op, e.Object, e.cause()) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// cause is the server's own words where it had any.
func (e *Error) cause() string {
	if api, ok := errors.AsType[smithy.APIError](e.Err); ok {
		word := api.ErrorCode()
		if said := api.ErrorMessage(); said != "" && said != word {
			word += ": " + said
		}
		switch e.Kind {
		case Skewed:
			return "the server does not believe the time of this host (" + word + ")"
		case Denied:
			return "the server does not let these credentials (" + word + ")"
		case Busy:
			return fmt.Sprintf("the server cannot now, also after %d attempts (%s)", attempts, word)
		}
		return word
	}

	switch {
	case e.Kind == Denied:
		return "no credentials were found: " + last(e.Err)
	case e.Kind == Busy:
		return fmt.Sprintf("the server cannot now, also after %d attempts", attempts)
	}
	return last(e.Err)
}

// last is the innermost error's text: the SDK's own wrappings name attempts and ids that say nothing to an operator.
func last(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return strings.TrimSpace(err.Error())
		}
		if _, op := err.(*net.OpError); op { //nolint:errorlint // exactly this layer names the address
			return err.Error()
		}
		err = inner
	}
}

// errHere is what went wrong on this host: the bucket has no part in it.
var errHere = errors.New("it is on this host")

// fail makes an error of the SDK one that names the object, its kind and the next command. The end of a context, and
// what is wrong with a file of this host, stay what they are.
func (b *Bucket) fail(op, key string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) && !errors.Is(err, errStalled) {
		return err
	}
	if already, ok := errors.AsType[*Error](err); ok {
		return already
	}
	if _, damaged := errors.AsType[*archive.DamageError](err); damaged || errors.Is(err, errHere) {
		return err
	}
	kind := kindOf(err)
	return &Error{Kind: kind, Op: op, Object: b.object(key), Hint: hintOf(kind, op, b.name), Err: err}
}

func kindOf(err error) Kind {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "RequestTimeTooSkewed", "RequestExpired":
			return Skewed
		case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthorizationHeaderMalformed", "Forbidden":
			return Denied
		case "NoSuchBucket":
			return NoBucket
		case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "TooManyRequests":
			return Busy
		case "ObjectLockConfigurationNotFoundError", "InvalidRequest.ObjectLock":
			return NoLock
		}
	}

	switch status(err) {
	case http.StatusForbidden, http.StatusUnauthorized:
		return Denied
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusInternalServerError, http.StatusGatewayTimeout:
		return Busy
	case 0:
		if strings.Contains(err.Error(), "credentials") {
			return Denied
		}
		return Unreachable
	}
	return Failed
}

// status is that of the answer; 0 when none came.
func status(err error) int {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// absent reports whether the server said that there is no such object.
func absent(err error) bool { return status(err) == http.StatusNotFound && kindOf(err) != NoBucket }

// exists reports whether a conditional write lost to an object that is there.
func exists(err error) bool {
	return status(err) == http.StatusPreconditionFailed || status(err) == http.StatusConflict
}

// denied reports whether the server does not let these credentials do what was asked.
func denied(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.Kind == Denied
}

// unknown reports whether the server does not know what it was asked.
func unknown(err error) bool { return status(err) == http.StatusNotImplemented }

func hintOf(kind Kind, op, bucket string) string {
	goesOn := ": it takes up where this one ended"
	if slices.Contains([]string{"list", "list versions of", "read", "look at"}, op) {
		goesOn = "" // whoever reads begins anew
	}
	switch kind {
	case Unreachable:
		return "is the endpoint right (AWS_ENDPOINT_URL, or endpoint_url in ~/.aws/config), and is the server up? Then run the same command again" + goesOn
	case Busy:
		return "run the same command again later" + goesOn
	case Denied:
		return "check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, ~/.aws/credentials) and what their policy allows on s3://" + bucket + "; then run the same command again"
	case Skewed:
		return "set the clock of this host (timedatectl set-ntp true), then run the same command again"
	case NoBucket:
		return "make the bucket, with object lock if backups shall be locked: aws s3api create-bucket --object-lock-enabled-for-bucket --bucket " + bucket
	case NoLock:
		return "leave --retain-days out, or make a bucket with object lock: aws s3api create-bucket --object-lock-enabled-for-bucket --bucket NAME"
	}
	return "run the same command again" + goesOn
}
