package flags

import (
	"errors"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
)

// Date parses a logical date that can be run: not one in the future. The name is for the error, as
// in "--from".
func Date(now time.Time, name, text string) (dates.Date, error) {
	date, err := AnyDate(now, name, text)
	if err != nil {
		return "", err
	}
	if today := dates.Of(now); date > today {
		return "", exit.Usagef("%s: %s is in the future and has no data yet; the latest date is today, %s (UTC)",
			name, date, today)
	}
	return date, nil
}

// AnyDate parses a date, or the word for one: the days are those of UTC, as logical dates are.
func AnyDate(now time.Time, name, text string) (dates.Date, error) {
	switch text {
	case "today":
		return dates.Of(now), nil
	case "yesterday":
		return dates.Of(now).Add(-1), nil
	}
	date, err := dates.Parse(text)
	if err != nil {
		return "", exit.Usagef("%s: %w, or today or yesterday", name, err)
	}
	return date, nil
}

// OptionalDate parses a date that may be left out.
func OptionalDate(now time.Time, name, text string) (dates.Date, error) {
	if text == "" {
		return "", nil
	}
	return AnyDate(now, name, text)
}

// Days returns the dates that a command names: one, or those from one to another. All dates are not
// known here: they are nil.
func Days(now time.Time, date, from, to string, all bool) ([]dates.Date, error) {
	ways := 0
	for _, given := range []bool{date != "", from != "" || to != "", all} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, exit.Usagef("name one date, or --from and --to, or --all")
	case all:
		return nil, nil
	case date != "":
		one, err := Date(now, "date", date)
		return []dates.Date{one}, err
	case from == "" || to == "":
		return nil, exit.Usagef("--from and --to go together")
	}
	first, errFrom := Date(now, "--from", from)
	last, errTo := Date(now, "--to", to)
	if err := errors.Join(errFrom, errTo); err != nil {
		return nil, err
	}
	if first > last {
		return nil, exit.Usagef("--from %s comes after --to %s: swap them", first, last)
	}
	var days []dates.Date
	for day := first; day <= last; day = day.Add(1) {
		days = append(days, day)
	}
	return days, nil
}
