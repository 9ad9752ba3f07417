package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
)

// records finds topics of which Kafka has lost records of yesterday or today before they landed, or that
// have another log than the one that has landed. It previews the landing, which changes nothing.
func (d *Doctor) records(ctx context.Context) (string, error) {
	objects, err := d.Systems.Bucket(ctx, d.Settings)
	if err != nil {
		return "", warning("not checked: " + s3.Classify(err).Error())
	}
	reader, err := d.Systems.Records(ctx, d.Settings)
	if err != nil {
		return "", err
	}
	defer reader.Close()
	now := d.Now().UTC()
	var wrong, odd []string
	for _, topic := range d.topicNames() {
		for _, date := range []dates.Date{dates.Of(now).Add(-1), dates.Of(now)} {
			found, err := landing.PreviewLanding(ctx, reader, objects, landing.PreviewInput{Topic: topic, Date: date, Now: now})
			switch {
			case errors.Is(err, kafka.ErrUnknownTopic): // the check of topics says so
				continue
			case err != nil && found.Refused == "":
				return "", warning("not checked: " + err.Error())
			case err != nil:
				wrong = append(wrong, fmt.Sprintf("%s of %s does not land: %s", topic, date, found.Refused))
				continue
			}
			if lost := unlanded(found); lost > 0 {
				wrong = append(wrong, fmt.Sprintf("Kafka has lost %d offsets of %s before they landed, on %s, and the rest expires, too: land it with `starter run %s`, and raise retention.ms",
					lost, topic, date, date))
			}
			if len(found.Unplanned) > 0 {
				odd = append(odd, fmt.Sprintf("retention had deleted records of %s before it was first planned, for %s", topic, date))
			}
		}
	}
	switch {
	case len(wrong) > 0:
		return "", errors.New(strings.Join(append(wrong, odd...), "; "))
	case len(odd) > 0:
		return "", warning(strings.Join(odd, "; "))
	}
	return "nothing of yesterday and today is lost, and the logs are those that have landed", nil
}

// unlanded counts the lost offsets that no landing has recorded yet.
func unlanded(found landing.Preview) (sum int64) {
	for _, partition := range found.Partitions {
		for _, lost := range partition.Lost {
			sum += lost.Offsets()
		}
	}
	return sum
}
