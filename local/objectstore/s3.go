package objectstore

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3Options configures the S3 server.
type S3Options struct{ Endpoint, Region, AccessKey, SecretKey string }

// s3Store reads s3://bucket/key.
type s3Store struct{ client *s3.Client }

// NewS3 returns the objects of an S3 server, addressed by path.
func NewS3(o S3Options) (Store, error) {
	if o.Endpoint == "" {
		return nil, fmt.Errorf("no S3 endpoint given")
	}
	return &s3Store{s3.New(s3.Options{
		BaseEndpoint: aws.String(o.Endpoint), Region: o.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, ""),
	})}, nil
}

// List lists the keys with the prefix.
func (s *s3Store) List(ctx context.Context, uri string) ([]Object, error) {
	bucket, prefix, err := splitURI(uri)
	if err != nil {
		return nil, err
	}
	var objects []Object
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			objects = append(objects, Object{URI: "s3://" + bucket + "/" + aws.ToString(o.Key), Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)})
		}
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.URI, b.URI) })
	return objects, nil
}

// Open returns the content of an object.
func (s *s3Store) Open(ctx context.Context, uri string) (io.ReadCloser, error) {
	bucket, key, err := splitURI(uri)
	if err != nil {
		return nil, err
	}
	object, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	return object.Body, nil
}

// splitURI splits s3://bucket/key; s3a:// is Hadoop's name for the same.
func splitURI(uri string) (bucket, key string, err error) {
	scheme, rest, _ := strings.Cut(uri, "://")
	bucket, key, ok := strings.Cut(rest, "/")
	if (scheme != "s3" && scheme != "s3a") || !ok || bucket == "" {
		return "", "", fmt.Errorf("%q is not of the form s3://bucket/key", uri)
	}
	return bucket, key, nil
}
