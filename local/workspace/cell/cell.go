// Package cell formats values as the texts of the Statement Execution API's JSON_ARRAY.
package cell

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Text returns a value as in JSON_ARRAY: a text, or nil for NULL. Numbers have Java's format,
// times have milliseconds, and an array is JSON text with texts as its leaves.
func Text(value any, typeText string) *string {
	if value == nil {
		return nil
	}
	text := valueText(value, typeText)
	return &text
}

func valueText(value any, typeText string) string {
	switch v := value.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if typeText == "FLOAT" {
			return javaFloat(v, 32)
		}
		return javaFloat(v, 64)
	case bool:
		return strconv.FormatBool(v)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return timeText(v, typeText)
	case []any, map[string]any:
		return nestedText(v, typeText)
	}
	return fmt.Sprint(value)
}

func timeText(t time.Time, typeText string) string {
	switch typeText {
	case "DATE":
		return t.Format("2006-01-02")
	case "TIMESTAMP_NTZ":
		return t.Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000")
	}
	return t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

// nestedText returns JSON text in which each leaf is a text or null.
func nestedText(value any, typeText string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(textLeaves(value, typeText)); err != nil {
		return fmt.Sprint(value) // cannot happen: it has only texts, arrays and objects
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func textLeaves(value any, typeText string) any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		element := strings.TrimSuffix(strings.TrimPrefix(typeText, "ARRAY<"), ">")
		leaves := make([]any, len(v))
		for i, e := range v {
			leaves[i] = textLeaves(e, element)
		}
		return leaves
	case map[string]any:
		leaves := make(map[string]any, len(v))
		for key, e := range v {
			leaves[key] = textLeaves(e, "")
		}
		return leaves
	}
	return valueText(value, typeText)
}

// javaFloat formats a number like Java's Double.toString and Float.toString, which Spark uses:
// without exponent from 0.001 to below 10,000,000, and with a digit after the point.
func javaFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	size := math.Abs(f)
	if size == 0 || (size >= 1e-3 && size < 1e7) {
		text := strconv.FormatFloat(f, 'f', -1, bits)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return mantissa + "E" + exponent
	}
	return mantissa + "E" + strconv.Itoa(n)
}
