// Command oldbucket writes a bucket as the pipeline before Pinflow left it: an object for each record,
// named as by the Kafka Connect S3 sink. `starter import` is measured and tried with it. The AWS SDK
// reads endpoint and credentials from the environment.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/posts"
)

const (
	// partitions is how many partitions each topic of the old pipeline had.
	partitions = 3
	parallel   = 32
)

func main() {
	bucket := flag.String("bucket", "old", "bucket to write, which is created")
	objects := flag.Int("objects", 100_000, "number of objects, a third of them for each topic")
	user := flag.String("user", "0a1b2c3d4e5f", "user id in the names of the topics")
	flag.Parse()
	if err := write(context.Background(), *bucket, *user, *objects); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(ctx context.Context, bucket, user string, objects int) error {
	loaded, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
	if errors.As(err, new(*types.BucketAlreadyOwnedByYou)) {
		err = nil
	}
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range objects {
		kind := posts.Kinds[i%len(posts.Kinds)]
		row := i / len(posts.Kinds)
		partition, offset := row%partitions, row/partitions
		topic := user + "." + kind
		key := fmt.Sprintf("topics/%s/partition=%d/%s+%d+%010d.json", topic, partition, topic, partition, offset)
		body := append(posts.Row(kind, row), '\n')
		group.Go(func() error {
			_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(key), Body: bytes.NewReader(body)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Printf("s3://%s has %d objects of %s\n", bucket, objects, strings.Join(posts.Kinds, ", "))
	return nil
}
