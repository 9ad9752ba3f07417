// Package s3 is Pinflow's client of S3, or of a server with its API. The AWS SDK itself reads
// region, credentials and endpoint (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3, or the role
// of the machine).
package s3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/config"
)

const (
	// callTimeout limits one call with all its attempts: 16 MB take 13 s at 10 Mbit/s. It is
	// shorter than any heartbeat timeout, because landing does not heartbeat during a call.
	callTimeout = 40 * time.Second
	// attempts is how often the SDK tries one call.
	attempts = 4
)

// Client reads and writes the objects of one deployment: those in its folder of the bucket. Keys are
// relative to the folder.
type Client struct {
	api    *s3.Client
	bucket string
	folder string // with a slash at its end
}

var _ bucket.Objects = (*Client)(nil)

// New returns a client of the deployment's folder in the bucket of the settings. It does not connect.
func New(ctx context.Context, settings config.Config) (*Client, error) {
	loaded, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRetryer(func() aws.Retryer {
		return retry.AddWithErrorCodes(retry.AddWithMaxAttempts(retry.NewStandard(), attempts), conflict)
	}))
	if err != nil {
		return nil, fmt.Errorf("s3: set AWS_REGION and credentials: %w", err)
	}
	api := s3.NewFromConfig(loaded, func(o *s3.Options) { o.UsePathStyle = settings.S3PathStyle })
	return &Client{api: api, bucket: settings.Bucket, folder: settings.Deployment.Folder()}, nil
}

// conflict is the error code of a conditional write while another one of the same key is in
// progress: neither has won yet, so that it is retried.
const conflict = "ConditionalRequestConflict"

// URI returns the address of an object, as Spark and Databricks accept it.
func (c *Client) URI(key string) string { return "s3://" + c.bucket + "/" + c.folder + key }

// Get returns the content of an object, or bucket.ErrNotFound.
func (c *Client) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	object, err := c.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String(c.folder + key)})
	if err != nil {
		return nil, c.explain("get", key, err)
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		return nil, c.explain("read", key, err)
	}
	return body, nil
}

// Head returns the size and metadata of an object, or bucket.ErrNotFound.
func (c *Client) Head(ctx context.Context, key string) (bucket.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	head, err := c.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String(c.folder + key)})
	if err != nil {
		return bucket.Object{}, c.explain("head", key, err)
	}
	return bucket.Object{Key: key, Size: aws.ToInt64(head.ContentLength), ContentType: aws.ToString(head.ContentType), Metadata: head.Metadata}, nil
}

// Put writes an object. S3 verifies its checksum. With OnlyNew it returns bucket.ErrExists if the
// object exists.
func (c *Client) Put(ctx context.Context, object bucket.PutInput) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sum, err := checksum(object)
	if err != nil {
		return err
	}
	input := &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String(c.folder + object.Key), Body: bytes.NewReader(object.Body), Metadata: object.Metadata,
		ContentType: aws.String(cmp.Or(object.ContentType, bucket.DefaultContentType)), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum)),
	}
	if object.OnlyNew {
		input.IfNoneMatch = aws.String("*")
	}
	if _, err := c.api.PutObject(ctx, input); err != nil {
		return c.explain("put", object.Key, err)
	}
	return nil
}

func checksum(object bucket.PutInput) ([]byte, error) {
	if object.SHA256 == "" {
		sum := sha256.Sum256(object.Body)
		return sum[:], nil
	}
	sum, err := hex.DecodeString(object.SHA256)
	if err != nil {
		return nil, fmt.Errorf("checksum of %s: %w", object.Key, err)
	}
	return sum, nil
}

// List returns keys and sizes in the byte order of the keys, all pages up to Before or Limit.
func (c *Client) List(ctx context.Context, list bucket.ListInput) ([]bucket.Object, error) {
	input := &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: aws.String(c.folder + list.Prefix)}
	if list.After != "" {
		input.StartAfter = aws.String(c.folder + list.After)
	}
	if list.Limit > 0 {
		input.MaxKeys = aws.Int32(int32(min(list.Limit, pageSize)))
	}
	var objects []bucket.Object
	for pages := s3.NewListObjectsV2Paginator(c.api, input); pages.HasMorePages(); {
		page, err := c.page(ctx, pages)
		if err != nil {
			return nil, c.explain("list", list.Prefix, err)
		}
		for _, object := range page.Contents {
			key := strings.TrimPrefix(aws.ToString(object.Key), c.folder)
			if list.Before != "" && key >= list.Before {
				return objects, nil
			}
			objects = append(objects, bucket.Object{Key: key, Size: aws.ToInt64(object.Size)})
			if len(objects) == list.Limit {
				return objects, nil
			}
		}
	}
	return objects, nil
}

// pageSize is the most keys of a page.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
const pageSize = 1000

func (c *Client) page(ctx context.Context, pages *s3.ListObjectsV2Paginator) (*s3.ListObjectsV2Output, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pages.NextPage(ctx)
}

// EnsureBucket creates the bucket if it does not exist, and reports whether it did.
func (c *Client) EnsureBucket(ctx context.Context) (created bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = c.api.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &c.bucket})
	if err == nil || status(err) != http.StatusNotFound {
		return false, c.explain("look for", "", err)
	}
	input := &s3.CreateBucketInput{Bucket: &c.bucket}
	// S3 rejects us-east-1 as a location constraint: it is the default.
	if region := c.api.Options().Region; region != "" && region != "us-east-1" {
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	_, err = c.api.CreateBucket(ctx, input)
	var owned *types.BucketAlreadyOwnedByYou
	if errors.As(err, &owned) {
		return false, nil
	}
	return err == nil, c.explain("create", "", err)
}

// explain adds the object to an error, and returns bucket.ErrNotFound and bucket.ErrExists for
// their status codes.
func (c *Client) explain(doing, key string, err error) error {
	if err == nil {
		return nil
	}
	where := c.URI(key)
	var named smithy.APIError
	code := ""
	if errors.As(err, &named) {
		code = named.ErrorCode()
	}
	switch {
	case code == "NoSuchKey", code == "NotFound" && doing == "head":
		return fmt.Errorf("%s: %w", where, bucket.ErrNotFound)
	case status(err) == http.StatusPreconditionFailed:
		return fmt.Errorf("%s: %w", where, bucket.ErrExists)
	}
	return fmt.Errorf("%s %s: %w", doing, where, err)
}
