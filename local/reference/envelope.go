package reference

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// envelope is a landed line.
type envelope struct {
	Topic     string          `json:"topic"`
	Partition int             `json:"partition"`
	Offset    int64           `json:"offset"`
	Timestamp int64           `json:"timestamp"`
	Key       *string         `json:"key"`
	Value     json.RawMessage `json:"value,omitempty"`
	Text      *string         `json:"text,omitempty"`
	Elements  []string        `json:"elements,omitempty"`
}

// Line returns the line that landing writes for a record, without its newline.
func Line(topic string, r Record) ([]byte, error) {
	e := envelope{Topic: topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp}
	value := jsontext.Value(bytes.Clone(r.Value))
	if kind := value.Kind(); Strict(value) && (kind == '{' || kind == '[') {
		if err := value.Compact(); err != nil {
			return nil, err
		}
		e.Value = json.RawMessage(value)
		if items, holdsObject := array(value); holdsObject {
			for _, item := range items {
				e.Elements = append(e.Elements, string(item))
			}
		}
	} else {
		text := string(bytes.ToValidUTF8(r.Value, []byte("\uFFFD")))
		e.Text = &text
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(e)
	return bytes.TrimSpace(b.Bytes()), err
}
