package history

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/starter/term"
)

// ScheduleChange is one difference between a Schedule and the wanted one.
type ScheduleChange struct {
	What string `json:"what"`
	From string `json:"from"`
	To   string `json:"to"`
}

// ScheduleChanges returns the differences between a Schedule as Temporal describes it, with
// defaults filled in, and the wanted one.
func ScheduleChanges(current client.Schedule, want client.ScheduleOptions) ([]ScheduleChange, error) {
	action, ok := want.Action.(*client.ScheduleWorkflowAction)
	if !ok {
		return nil, fmt.Errorf("schedule %s: its action is a %T, not a workflow", want.ID, want.Action)
	}
	policy := &client.SchedulePolicies{Overlap: want.Overlap, CatchupWindow: want.CatchupWindow, PauseOnFailure: want.PauseOnFailure}
	to, err := scheduleFacts(&want.Spec, action, policy)
	if err != nil {
		return nil, err
	}
	has, _ := current.Action.(*client.ScheduleWorkflowAction) // nil, and so different, for another kind of action
	from, err := scheduleFacts(current.Spec, has, current.Policy)
	if err != nil {
		return nil, err
	}
	var changes []ScheduleChange
	for i := range to {
		if from[i].value != to[i].value {
			changes = append(changes, ScheduleChange{to[i].name, from[i].value, to[i].value})
		}
	}
	return changes, nil
}

// fact is one property of a Schedule.
type fact struct{ name, value string }

// scheduleFacts returns the properties of a Schedule, always the same ones in the same order.
func scheduleFacts(spec *client.ScheduleSpec, action *client.ScheduleWorkflowAction, policy *client.SchedulePolicies) ([]fact, error) {
	if spec == nil {
		spec = &client.ScheduleSpec{}
	}
	if action == nil {
		action = &client.ScheduleWorkflowAction{}
	}
	if policy == nil {
		policy = &client.SchedulePolicies{}
	}
	args, err := argumentTexts(action.Args)
	if err != nil {
		return nil, err
	}
	return []fact{
		{"fires", calendars(spec.Calendars)},
		{"fires every", nonEmpty(len(spec.Intervals), spec.Intervals)},
		{"cron", strings.Join(spec.CronExpressions, "; ")},
		{"skips", calendars(spec.Skip)},
		{"time zone", zoneName(spec)},
		{"jitter", nonEmpty(int(spec.Jitter), spec.Jitter)},
		{"workflow", nonNil(action.Workflow)},
		{"workflow id", action.ID},
		{"input", args},
		{"task queue", action.TaskQueue},
		{"priority", strconv.Itoa(action.Priority.PriorityKey)},
		{"overlap", policy.Overlap.String()},
		{"catchup window", term.Duration(policy.CatchupWindow)},
		{"pause on failure", strconv.FormatBool(policy.PauseOnFailure)},
	}, nil
}

// zoneName returns the time zone of a specification; UTC if it has none.
func zoneName(spec *client.ScheduleSpec) string { return cmp.Or(spec.TimeZoneName, "UTC") }

func nonNil(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func nonEmpty(size int, v any) string {
	if size == 0 {
		return ""
	}
	return fmt.Sprint(v)
}

// argumentTexts returns the arguments of a workflow as JSON. They are values that are given to the
// SDK, or payloads that Temporal returns.
func argumentTexts(args []any) (string, error) {
	texts := make([]string, len(args))
	for i, arg := range args {
		payload, ok := arg.(*commonpb.Payload)
		if !ok {
			var err error
			if payload, err = converter.GetDefaultDataConverter().ToPayload(arg); err != nil {
				return "", fmt.Errorf("the Schedule's input: %w", err)
			}
		}
		texts[i] = string(payload.GetData())
	}
	return strings.Join(texts, ", "), nil
}

// calendars returns calendar specifications in words, with the defaults that Temporal fills in:
// midnight, every day.
func calendars(specs []client.ScheduleCalendarSpec) string {
	texts := make([]string, len(specs))
	for i, s := range specs {
		texts[i] = fmt.Sprintf("at %s:%s:%s", ranges(s.Hour, 0, 0), ranges(s.Minute, 0, 0), ranges(s.Second, 0, 0))
		days := ""
		for _, field := range []struct {
			name        string
			set         []client.ScheduleRange
			first, last int
		}{{"on days", s.DayOfMonth, 1, 31}, {"in months", s.Month, 1, 12}, {"on weekdays (0 is Sunday)", s.DayOfWeek, 0, 6}} {
			if all := ranges(nil, field.first, field.last); ranges(field.set, field.first, field.last) != all {
				days += fmt.Sprintf(" %s %s", field.name, ranges(field.set, field.first, field.last))
			}
		}
		if days == "" {
			days = " every day"
		}
		texts[i] += days
		if len(s.Year) > 0 {
			texts[i] += ", years " + ranges(s.Year, 0, 0)
		}
	}
	return strings.Join(texts, "; ")
}

// ranges returns ranges of numbers in words; an empty list means the given range.
func ranges(all []client.ScheduleRange, first, last int) string {
	if len(all) == 0 {
		all = []client.ScheduleRange{{Start: first, End: last}}
	}
	texts := make([]string, len(all))
	for i, r := range all {
		texts[i] = fmt.Sprintf("%02d", r.Start)
		if r.End > r.Start {
			texts[i] += fmt.Sprintf("-%02d", r.End)
		}
		if r.Step > 1 {
			texts[i] += fmt.Sprintf("/%d", r.Step)
		}
	}
	return strings.Join(texts, ",")
}
