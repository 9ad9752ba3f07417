package kinesis

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/pinflow/pinflow/local/kinesis/streams"
)

// maxSkew is how far the time of a signature may be from that of the server:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
const maxSkew = 5 * time.Minute

const (
	algorithm = "AWS4-HMAC-SHA256"
	service   = "kinesis"
	dateForm  = "20060102T150405Z"
)

// Credentials are the key with which requests are signed.
type Credentials struct{ AccessKey, SecretKey string }

// authorization is what an Authorization header of Signature Version 4 says.
type authorization struct {
	accessKey, scopeDate, region, service string
	signed                                []string
	signature                             string
}

// authenticate checks the signature of a request, by signing it again.
func (s *Server) authenticate(r *http.Request, body []byte) error {
	header := r.Header.Get("Authorization")
	if header == "" {
		return &streams.Error{Code: "MissingAuthenticationTokenException", Message: "Missing Authentication Token"}
	}
	given, ok := parseAuthorization(header)
	at, err := time.Parse(dateForm, r.Header.Get("X-Amz-Date"))
	if !ok || err != nil {
		return &streams.Error{Code: "IncompleteSignatureException", Message: "The request needs an Authorization header with Credential, SignedHeaders and Signature of " +
			algorithm + ", and an X-Amz-Date header."}
	}
	if given.accessKey != s.credentials.AccessKey {
		return &streams.Error{Code: "UnrecognizedClientException", Message: "The security token included in the request is invalid."}
	}
	if given.service != service || given.scopeDate != at.Format("20060102") {
		return mismatch("Credential should be scoped to correct service: '" + service + "', and to the day of X-Amz-Date.")
	}
	if skew := s.clock().Sub(at); skew > maxSkew || skew < -maxSkew {
		return mismatch("Signature expired or not yet current: " + at.Format(dateForm) + " is more than 5 minutes from " + s.clock().UTC().Format(dateForm) + ".")
	}
	again, err := s.sign(r, body, given, at)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(again), []byte(given.signature)) != 1 {
		return mismatch("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. " +
			"Consult the service documentation for details.")
	}
	return nil
}

func mismatch(message string) error {
	return &streams.Error{Code: "InvalidSignatureException", Message: message}
}

// sign returns the signature of the request with the server's own secret.
func (s *Server) sign(r *http.Request, body []byte, given authorization, at time.Time) (string, error) {
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	for _, name := range given.signed {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if !slices.Contains(given.signed, "content-length") {
		again.ContentLength = 0 // the signer leaves the header out
	}
	hash := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: s.credentials.AccessKey, SecretAccessKey: s.credentials.SecretKey}
	if err := s.signer.SignHTTP(context.Background(), credentials, again, hex.EncodeToString(hash[:]), service, given.region, at); err != nil {
		return "", err
	}
	signed, _ := parseAuthorization(again.Header.Get("Authorization"))
	return signed.signature, nil
}

func parseAuthorization(header string) (authorization, bool) {
	rest, ok := strings.CutPrefix(header, algorithm)
	if !ok {
		return authorization{}, false
	}
	var a authorization
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[4] != "aws4_request" {
				return authorization{}, false
			}
			a.accessKey, a.scopeDate, a.region, a.service = scope[0], scope[1], scope[2], scope[3]
		case "SignedHeaders":
			a.signed = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	return a, a.accessKey != "" && a.signature != "" && slices.Contains(a.signed, "host")
}
