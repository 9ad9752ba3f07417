package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// adminTimeout limits one request of an Admin.
const adminTimeout = 15 * time.Second

// LogAppendTime is the topic setting with which the broker sets the time of records when they
// arrive. Landing assigns records to dates by that time, so that the clock of a producer cannot put
// a record into a date that has already landed.
var LogAppendTime = map[string]string{"message.timestamp.type": "LogAppendTime"}

// Topic is a topic to create.
type Topic struct {
	Name       string
	Partitions int
	// Replication is the replication factor; 0 is the cluster's default.
	Replication int
	// Config holds topic settings by their Kafka names.
	Config map[string]string
}

// TopicInfo is a topic that exists.
type TopicInfo struct {
	Name       string
	Partitions int
}

// Admin creates, compares and lists topics.
type Admin struct {
	Connection
	cluster *cluster
	client  *kafkago.Client
}

// NewAdmin returns an Admin. It connects with the first request.
func NewAdmin(connection Connection) *Admin {
	return &Admin{Connection: connection, cluster: newCluster(connection), client: connection.client(connection.transport(), adminTimeout)}
}

// CreateTopics creates the topics that do not exist and returns their names. It leaves existing
// topics alone: see CompareTopics.
func (a *Admin) CreateTopics(ctx context.Context, topics ...Topic) ([]string, error) {
	if err := a.Ping(ctx); err != nil {
		return nil, err
	}
	request := &kafkago.CreateTopicsRequest{}
	for _, topic := range topics {
		request.Topics = append(request.Topics, topic.create())
	}
	answer, err := a.client.CreateTopics(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("create topics: %w", err)
	}
	var created []string
	var errs []error
	for _, topic := range topics {
		switch err := answer.Errors[topic.Name]; {
		case err == nil:
			created = append(created, topic.Name)
		case !errors.Is(err, kafkago.TopicAlreadyExists):
			errs = append(errs, fmt.Errorf("create topic %s: %w", topic.Name, err))
		}
	}
	return created, errors.Join(errs...)
}

func (t Topic) create() kafkago.TopicConfig {
	replication := t.Replication
	if replication == 0 {
		replication = -1 // the cluster's default, since Kafka 2.4 (KIP-464)
	}
	config := kafkago.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: replication}
	for _, name := range slices.Sorted(maps.Keys(t.Config)) {
		config.ConfigEntries = append(config.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: t.Config[name]})
	}
	return config
}

// configure applies the settings to existing topics. A topic may come several times.
func (a *Admin) configure(ctx context.Context, topics []Topic) error {
	request := &kafkago.IncrementalAlterConfigsRequest{}
	for _, topic := range topics {
		i := slices.IndexFunc(request.Resources, func(r kafkago.IncrementalAlterConfigsRequestResource) bool { return r.ResourceName == topic.Name })
		if i < 0 {
			i = len(request.Resources)
			request.Resources = append(request.Resources, kafkago.IncrementalAlterConfigsRequestResource{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic.Name})
		}
		for _, name := range slices.Sorted(maps.Keys(topic.Config)) {
			request.Resources[i].Configs = append(request.Resources[i].Configs, kafkago.IncrementalAlterConfigsRequestConfig{
				Name: name, Value: topic.Config[name], ConfigOperation: kafkago.ConfigOperationSet,
			})
		}
	}
	if len(request.Resources) == 0 {
		return nil
	}
	answer, err := a.client.IncrementalAlterConfigs(ctx, request)
	if err != nil {
		return fmt.Errorf("set the topics' settings: %w", err)
	}
	var errs []error
	for _, resource := range answer.Resources {
		if resource.Error != nil {
			errs = append(errs, fmt.Errorf("set the settings of topic %s: %w", resource.ResourceName, resource.Error))
		}
	}
	return errors.Join(errs...)
}

// ListTopics returns the topics of the cluster, in the order of their names.
func (a *Admin) ListTopics(ctx context.Context) ([]TopicInfo, error) {
	known, err := a.cluster.layoutSince(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return known.infos(), nil
}

// Ping returns nil if a broker answers now, and ErrUnreachable otherwise.
func (a *Admin) Ping(ctx context.Context) error {
	_, err := a.cluster.layoutSince(ctx, time.Now())
	return err
}
