package setup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/term"
)

// Topics returns the topics of kinds of record, and that of posts, as the settings want them. The
// broker sets the time of their records, so that the clock of a producer cannot put a record into a
// date that is over.
func Topics(settings config.Config, kinds []string) []kafka.Topic {
	wanted := maps.Clone(kafka.LogAppendTime)
	if settings.Kafka.Retention > 0 {
		wanted[kafka.RetentionMillis] = strconv.FormatInt(settings.Kafka.Retention.Milliseconds(), 10)
	}
	var all []kafka.Topic
	if !slices.Contains(kinds, run.Post) {
		kinds = append(slices.Clone(kinds), run.Post)
	}
	for _, kind := range kinds {
		all = append(all, kafka.Topic{
			Name: settings.Topic(kind), Partitions: settings.Partitions, Replication: settings.Kafka.Replication, Config: wanted,
		})
	}
	return all
}

// topics creates the topics that are missing. Those that exist are changed only with ChangeTopics: a
// shorter retention deletes records.
func (s *Setup) topics(ctx context.Context) (Step, error) {
	admin, err := s.Systems.Topics(ctx, s.Settings)
	if err != nil {
		return Step{}, err
	}
	wanted := Topics(s.Settings, s.Kinds)
	missing, different, err := admin.CompareTopics(ctx, wanted...)
	if err != nil {
		return Step{}, kafka.Classify(err)
	}
	done := Step{Outcome: control.Unchanged}
	var names []string
	for _, topic := range wanted {
		names = append(names, topic.Name)
	}
	done.Detail = strings.Join(names, ", ")
	if len(missing) > 0 {
		created, err := admin.CreateTopics(ctx, wanted...)
		if err != nil {
			return Step{}, kafka.Classify(err)
		}
		done.Outcome, done.Detail = control.Created, fmt.Sprintf("%s with %d partitions", strings.Join(created, ", "), s.Settings.Partitions)
	}
	changeable := int64(0)
	for _, d := range different {
		done.Differences = append(done.Differences, d.String())
		if !d.Kept {
			changeable++
		}
	}
	switch {
	case changeable == 0:
	case !s.ChangeTopics:
		done.Differences = append(done.Differences, fmt.Sprintf("%s not changed: `starter setup --change-topics` does that", term.Count(changeable, "setting")))
	default:
		if err := admin.ChangeTopics(ctx, different...); err != nil {
			return Step{}, kafka.Classify(err)
		}
		done.Outcome = control.Changed
		done.Differences = append(done.Differences, term.Count(changeable, "setting")+" changed")
	}
	return done, nil
}
