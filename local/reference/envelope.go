package reference

import (
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/envelope"
)

// Line returns the line that landing writes for a record, without its newline.
func Line(topic string, r Record) []byte {
	record := kafkago.Message{Offset: r.Offset, Time: time.UnixMilli(r.Timestamp), Value: r.Value}
	line := envelope.New(topic, r.Partition).Append(nil, record)
	return line[:len(line)-1]
}
