package reference

import (
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/envelope"
)

// Line returns the line that landing writes for a record, without its newline.
func Line(r Record) []byte {
	record := kafkago.Message{Offset: r.Offset, Time: time.UnixMilli(r.Timestamp), Key: r.Key, Headers: r.Headers, Value: r.Value}
	line := envelope.New(r.Topic(), r.Partition).Append(nil, record)
	return line[:len(line)-1]
}

// Unusual gives some of the records keys and headers, and makes tombstones and empty values of some.
func Unusual(records []Record) []Record {
	for i := range records {
		switch i % 23 {
		case 3:
			records[i].Key, records[i].Value = []byte("deleted"), nil
		case 5:
			records[i].Value = []byte{}
		case 7:
			records[i].Headers = []kafkago.Header{{Key: "source", Value: []byte("app \"x\" \u2028")}, {Key: "source", Value: []byte{0xff, 0}}, {Key: "none"}, {}}
		case 11:
			records[i].Key, records[i].Headers = []byte(`,"text":null}`), []kafkago.Header{{Key: `","text":null}`, Value: []byte(`,"text":null}`)}}
		case 13:
			records[i].Value, records[i].Headers = nil, []kafkago.Header{{Key: "why", Value: []byte("deleted")}}
		}
	}
	return records
}
