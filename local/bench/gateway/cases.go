package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// writes writes a record and returns its partition and offset.
type writes func(ctx context.Context, key, value []byte) (partition int32, offset int64, err error)

// producers are the cases other than the gateway, by name.
var producers = map[string]func(kafka string) (writes, error){
	// franz-go joins the records that come during a request, without waiting for more.
	"franz-go": func(kafka string) (writes, error) {
		client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
		return func(ctx context.Context, key, value []byte) (int32, int64, error) {
			record, err := client.ProduceSync(ctx, &kgo.Record{Key: key, Value: value}).First()
			if err != nil {
				return 0, 0, err
			}
			return record.Partition, record.Offset, nil
		}, err
	},
	// kafka-go's Writer gives no offsets, which the API promises.
	"writer": func(kafka string) (writes, error) {
		writer := &kafkago.Writer{
			Addr: kafkago.TCP(kafka), Topic: topic, Balancer: kafkago.Murmur2Balancer{}, RequiredAcks: kafkago.RequireAll, BatchTimeout: time.Millisecond,
		}
		return func(ctx context.Context, key, value []byte) (int32, int64, error) {
			return 0, 0, writer.WriteMessages(ctx, kafkago.Message{Key: key, Value: value})
		}, nil
	},
	// What HTTP and JSON cost.
	"bare": func(string) (writes, error) {
		return func(context.Context, []byte, []byte) (int32, int64, error) { return 0, 0, nil }, nil
	},
}

// serveCase serves the least that takes the same requests, until standard input ends: no limits, no
// metrics, no checks.
func serveCase(name string) error {
	connect, ok := producers[name]
	if !ok {
		return fmt.Errorf("there is no case %q", name)
	}
	write, err := connect(os.Getenv("BENCH_KAFKA"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /topics/{topic}", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Records []struct {
				Key   string
				Value json.RawMessage
			}
		}
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		if err != nil || r.Header.Get("x-api-key") != apiKey || len(body.Records) != 1 {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		partition, offset, err := write(r.Context(), []byte(body.Records[0].Key), body.Records[0].Value)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"offsets":[{"partition":%d,"offset":%d,"error_code":null,"error":null}],"key_schema_id":null,"value_schema_id":null}`, partition, offset)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
	return http.Serve(listener, mux)
}
