package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/answers"
)

// written returns a value of a table as text: numbers with separators, years without, NULL as a
// dash.
func written(value any, kind answers.Kind) string {
	switch v := value.(type) {
	case string:
		return v
	case int64:
		if kind == answers.Year {
			return strconv.FormatInt(v, 10)
		}
		return whole(v)
	case float64:
		return decimal(v)
	}
	return "–"
}

// whole returns a number with a comma before each three digits.
func whole(n int64) string { return separated(strconv.FormatInt(n, 10)) }

func decimal(f float64) string {
	digits, fraction, ok := strings.Cut(strconv.FormatFloat(f, 'f', -1, 64), ".")
	if ok {
		fraction = "." + fraction
	}
	return separated(digits) + fraction
}

func separated(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return sign + digits
}

// short returns a number in few characters, for an axis or beside a point: 228.5k.
func short(f float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(f) >= unit.size {
			return strconv.FormatFloat(math.Round(f/unit.size*10)/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}

// share returns a part of a whole in percent. What is quarantined is never written as 0 %.
func share(part, of int64) string {
	switch percent := 100 * float64(part) / float64(of); {
	case of == 0:
		return "–"
	case part > 0 && percent < 0.1:
		return "< 0.1 %"
	default:
		return fmt.Sprintf("%.1f %%", percent)
	}
}
