//go:build conformance

package landing

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"golang.org/x/sync/errgroup"

	"github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/activities/landing"
	client "github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// sideVariable makes this program a side of the benchmark: its value is a sideInput.
const sideVariable = "PINFLOW_BENCH_SIDE"

const bucketName = "bench"

// Sides.
const (
	bare   = "bare Client.Fetch"
	landed = "landing"
)

type sideInput struct {
	Side    string
	Brokers []string
	Records int64
}

// runSide reads or lands the records, and prints the seconds that it took.
func runSide(text string) error {
	var in sideInput
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return err
	}
	side := map[string]func(sideInput) error{bare: readBare, landed: land}[in.Side]
	start := time.Now()
	if err := side(in); err != nil {
		return err
	}
	fmt.Println(time.Since(start).Seconds())
	return nil
}

// share is how many of the records a partition has.
func (in sideInput) share(partition int) int64 {
	return (in.Records + partitions - 1 - int64(partition)) / partitions
}

// readBare reads the records with kafka-go's client, and drops them.
func readBare(in sideInput) error {
	var group errgroup.Group
	for partition := range partitions {
		group.Go(func() error {
			reader := &kafka.Client{Addr: kafka.TCP(in.Brokers...)}
			for at := int64(0); at < in.share(partition); {
				answer, err := reader.Fetch(context.Background(), &kafka.FetchRequest{Topic: topic, Partition: partition, Offset: at, MinBytes: 1, MaxBytes: 4 << 20, MaxWait: time.Second})
				if err == nil {
					err = answer.Error
				}
				if err != nil {
					return err
				}
				for {
					record, err := answer.Records.ReadRecord()
					if err != nil {
						break // the end of the answer
					}
					at = record.Offset + 1
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// land lands the records as a worker does: an activity for each large range.
func land(in sideInput) error {
	ctx := context.Background()
	settings := config.Config{Brokers: in.Brokers, Kafka: config.Kafka{Protocol: config.Plaintext}, Bucket: bucketName, Deployment: run.DefaultDeployment, S3PathStyle: true}
	connection, err := client.NewConnection(ctx, settings, "bench")
	if err != nil {
		return err
	}
	objects, err := s3.New(ctx, settings)
	if err != nil {
		return err
	}
	lands := &landing.Activities{Kafka: client.NewReader(connection), Objects: objects}
	date := dates.Date("2022-10-18").Add(int(in.Records % 1000)) // a place of its own
	var group errgroup.Group
	for partition := range partitions {
		group.Go(func() error {
			suite := &testsuite.WorkflowTestSuite{}
			suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
			env := suite.NewTestActivityEnvironment()
			env.RegisterActivity(lands.LandPartitions)
			result, err := env.ExecuteActivity(lands.LandPartitions, landing.PartitionsInput{Topic: fmt.Sprint(topic), Date: date, Ranges: []landing.Range{{Partition: partition, End: in.share(partition)}}})
			if err != nil {
				return err
			}
			var summary landing.PartitionsSummary
			if err := result.Get(&summary); err != nil {
				return err
			}
			if summary.Records != in.share(partition) {
				return fmt.Errorf("%d records have landed, want %d", summary.Records, in.share(partition))
			}
			return nil
		})
	}
	return group.Wait()
}
