package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/pinflow/pinflow/internal/config"
)

// ErrChanged is the error of an object that is not what it was when it was listed.
var ErrChanged = errors.New("the object has changed or is gone since it was listed")

// Source reads a folder of any bucket. It writes nothing.
type Source struct {
	api    *s3.Client
	bucket string
	folder string // with a slash at its end, or empty
}

// SourceObject is an object of a Source.
type SourceObject struct {
	Key      string // within the folder
	Size     int64  // bytes
	Modified time.Time
	ETag     string
}

// sourceConnections is how many connections a Source keeps open for its next requests.
const sourceConnections = 64

// ParseURI returns the parts of an address such as s3://bucket/folder/; s3a:// is the same. The folder
// has a slash at its end, or is empty.
func ParseURI(uri string) (bucket, folder string, err error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	if !ok {
		rest, ok = strings.CutPrefix(uri, "s3a://")
	}
	bucket, folder, _ = strings.Cut(rest, "/")
	if folder = strings.Trim(folder, "/"); folder != "" {
		folder += "/"
	}
	if !ok || bucket == "" {
		return "", "", fmt.Errorf("%q is no address of a bucket: want s3://bucket or s3://bucket/folder", uri)
	}
	return bucket, folder, nil
}

// NewSource returns a client of the folder at the address. It does not connect.
func NewSource(ctx context.Context, settings config.Config, uri string) (*Source, error) {
	bucket, folder, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	client, err := New(ctx, settings)
	if err != nil {
		return nil, err
	}
	options := client.api.Options()
	options.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = sourceConnections
	})
	return &Source{api: s3.New(options), bucket: bucket, folder: folder}, nil
}

// URI returns the address of an object, or that of the folder.
func (s *Source) URI(key string) string { return "s3://" + s.bucket + "/" + s.folder + key }

// List calls page for the objects with the prefix, in the byte order of their keys, up to 1,000 at a
// time.
func (s *Source) List(ctx context.Context, prefix string, page func([]SourceObject) error) error {
	input := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.folder + prefix)}
	for pages := s3.NewListObjectsV2Paginator(s.api, input); pages.HasMorePages(); {
		listed, err := (&Client{}).page(ctx, pages)
		if err != nil {
			return fmt.Errorf("list %s: %w", s.URI(prefix), err)
		}
		objects := make([]SourceObject, len(listed.Contents))
		for i, object := range listed.Contents {
			objects[i] = SourceObject{
				Key: strings.TrimPrefix(aws.ToString(object.Key), s.folder), Size: aws.ToInt64(object.Size),
				Modified: aws.ToTime(object.LastModified).UTC(), ETag: strings.Trim(aws.ToString(object.ETag), `"`),
			}
		}
		if err := page(objects); err != nil {
			return err
		}
	}
	return nil
}

// Open returns the content of an object as it was listed, or ErrChanged. The context ends reading,
// too.
func (s *Source) Open(ctx context.Context, object SourceObject) (io.ReadCloser, error) {
	input := &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.folder + object.Key)}
	if object.ETag != "" {
		input.IfMatch = aws.String(`"` + object.ETag + `"`)
	}
	got, err := s.api.GetObject(ctx, input)
	switch code := status(err); {
	case code == http.StatusPreconditionFailed, code == http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", s.URI(object.Key), ErrChanged)
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", s.URI(object.Key), err)
	}
	return got.Body, nil
}
