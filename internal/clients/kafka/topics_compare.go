package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// RetentionMillis is the topic setting for how long the brokers keep records, in milliseconds.
const RetentionMillis = "retention.ms"

// Difference is a setting of an existing topic that is not as wanted.
type Difference struct {
	Topic      string
	Setting    string // as Kafka calls it, or "partitions", or "replication factor"
	Have, Want string
	// Kept reports whether ChangeTopics leaves it as it is: more partitions would move keys to others,
	// and a replication factor is changed by moving replicas.
	Kept bool
}

func (d Difference) String() string {
	text := fmt.Sprintf("%s: %s is %s, the settings have %s", d.Topic, d.Setting, d.Have, d.Want)
	if d.Kept {
		text += "; it is kept, change it with Kafka's own tools"
	}
	return text
}

// CompareTopics compares topics with those of the cluster, and returns which are missing, and the
// differences of the others. It changes nothing.
func (a *Admin) CompareTopics(ctx context.Context, wanted ...Topic) (missing []string, different []Difference, err error) {
	known, err := a.cluster.layoutSince(ctx, time.Now())
	if err != nil {
		return nil, nil, err
	}
	var existing []Topic
	for _, topic := range wanted {
		partitions := len(known.topics[topic.Name])
		if partitions == 0 {
			missing = append(missing, topic.Name)
			continue
		}
		existing = append(existing, topic)
		if partitions != topic.Partitions {
			different = append(different, Difference{topic.Name, "partitions", strconv.Itoa(partitions), strconv.Itoa(topic.Partitions), true})
		}
		if have := len(known.topics[topic.Name][0].Replicas); topic.Replication != 0 && have != topic.Replication {
			different = append(different, Difference{topic.Name, "replication factor", strconv.Itoa(have), strconv.Itoa(topic.Replication), true})
		}
	}
	configured, err := a.configs(ctx, existing)
	if err != nil {
		return nil, nil, err
	}
	for _, topic := range existing {
		for _, name := range slices.Sorted(maps.Keys(topic.Config)) {
			if have := configured[topic.Name][name]; have != topic.Config[name] {
				different = append(different, Difference{topic.Name, name, have, topic.Config[name], false})
			}
		}
	}
	return missing, different, nil
}

// configs returns the values of the settings that the topics name, by topic and name.
func (a *Admin) configs(ctx context.Context, topics []Topic) (map[string]map[string]string, error) {
	request := &kafkago.DescribeConfigsRequest{}
	for _, topic := range topics {
		if len(topic.Config) > 0 {
			request.Resources = append(request.Resources, kafkago.DescribeConfigRequestResource{
				ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic.Name, ConfigNames: slices.Sorted(maps.Keys(topic.Config)),
			})
		}
	}
	if len(request.Resources) == 0 {
		return nil, nil
	}
	answer, err := a.client.DescribeConfigs(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("read the topics' settings: %w", err)
	}
	found := map[string]map[string]string{}
	for _, resource := range answer.Resources {
		if resource.Error != nil {
			return nil, fmt.Errorf("read the settings of topic %s: %w", resource.ResourceName, resource.Error)
		}
		found[resource.ResourceName] = map[string]string{}
		for _, entry := range resource.ConfigEntries {
			found[resource.ResourceName][entry.ConfigName] = entry.ConfigValue
		}
	}
	return found, nil
}

// ChangeTopics changes settings of topics to those that are wanted, except those that are kept.
func (a *Admin) ChangeTopics(ctx context.Context, differences ...Difference) error {
	var changed []Topic
	for _, d := range differences {
		if !d.Kept {
			changed = append(changed, Topic{Name: d.Topic, Config: map[string]string{d.Setting: d.Want}})
		}
	}
	return a.configure(ctx, changed)
}
