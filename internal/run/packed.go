package run

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
)

// packFrom is the number of values from which a Packed list is compressed. A shorter one stays
// readable in the Web UI.
const packFrom = 100

// Packed is a list whose JSON is small: from 100 values on it is a string, the values' JSON in gzip
// and base64. Requests are alike, so that they shrink to a tenth: Temporal limits a payload to 2 MB.
type Packed[T any] []T

// MarshalJSON implements json.Marshaler.
func (p Packed[T]) MarshalJSON() ([]byte, error) {
	if len(p) < packFrom {
		return json.Marshal([]T(p))
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if err := json.NewEncoder(w).Encode([]T(p)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return json.Marshal(b.Bytes())
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Packed[T]) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(text, []byte(`"`)) {
		return json.Unmarshal(text, (*[]T)(p))
	}
	var packed []byte
	if err := json.Unmarshal(text, &packed); err != nil {
		return err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("unpack a list: %w", err)
	}
	return json.NewDecoder(r).Decode((*[]T)(p))
}
