package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/starter/setup"
	"github.com/pinflow/pinflow/starter/systems"
)

func (d *Doctor) kafka(ctx context.Context) []Finding {
	admin, err := d.Systems.Topics(ctx, d.Settings)
	if err != nil {
		return examine("Kafka", check{"settings", func() (string, error) { return "", err }})
	}
	return examine("Kafka",
		check{"topics", func() (string, error) {
			detail, err := d.topics(ctx, admin)
			if fault.KindOf(err) == fault.Unreachable || fault.KindOf(err) == fault.Unauthenticated {
				err = d.listener(ctx, admin, err)
			}
			return detail, err
		}},
		check{"permissions", func() (string, error) { return d.permissions(ctx, admin) }},
		check{"topic settings", func() (string, error) { return d.topicSettings(ctx, admin) }},
		check{"records", func() (string, error) { return d.records(ctx) }},
	)
}

func (d *Doctor) topicNames() (names []string) {
	for _, topic := range setup.Topics(d.Settings, d.Kinds) {
		names = append(names, topic.Name)
	}
	return names
}

// topics finds the topics that are missing.
func (d *Doctor) topics(ctx context.Context, admin systems.Topics) (string, error) {
	existing, err := admin.ListTopics(ctx)
	if err != nil {
		return "", kafka.Classify(err)
	}
	var found, missing []string
	for _, name := range d.topicNames() {
		i := slices.IndexFunc(existing, func(t kafka.TopicInfo) bool { return t.Name == name })
		if i < 0 {
			missing = append(missing, name)
			continue
		}
		found = append(found, fmt.Sprintf("%s (%d partitions)", name, existing[i].Partitions))
	}
	if len(missing) == 0 {
		return strings.Join(found, ", "), nil
	}
	at := strings.Join(d.Settings.Brokers, ", ")
	// Kafka leaves topics out that the user may not describe.
	if allowed, err := admin.Permissions(ctx, missing, d.Settings.Deployment.ConsumerGroup()); err == nil {
		if lacking := d.lacking(allowed, missing); len(lacking) > 0 {
			return "", fmt.Errorf("%s at %s: %s", strings.Join(lacking, "; "), at, d.grant())
		}
	}
	return "", fmt.Errorf("%s missing at %s: run `starter setup`, or set PINFLOW_USER_ID", strings.Join(missing, ", "), at)
}

// listener adds to the error of a connection what the listener speaks, if the settings have something
// else.
func (d *Doctor) listener(ctx context.Context, admin systems.Topics, failed error) error {
	found, err := admin.Inspect(ctx)
	set := d.Settings.Kafka
	var says string
	switch {
	case err != nil:
		return failed
	case found.Protocol != set.Protocol:
		says = fmt.Sprintf("the listener at %s speaks %s, the settings have %s: set PINFLOW_KAFKA_SECURITY_PROTOCOL=%s", found.Address, found.Protocol, set.Protocol, found.Protocol)
		if set.Mechanism == "" && len(found.Mechanisms) > 0 {
			says += " and PINFLOW_KAFKA_SASL_MECHANISM to one of " + strings.Join(found.Mechanisms, ", ")
		}
	case set.SASL() && len(found.Mechanisms) > 0 && !slices.Contains(found.Mechanisms, set.Mechanism):
		says = fmt.Sprintf("the listener at %s offers %s, the settings have %s: set PINFLOW_KAFKA_SASL_MECHANISM", found.Address, strings.Join(found.Mechanisms, ", "), set.Mechanism)
	default:
		return failed
	}
	return &fault.Error{Kind: fault.KindOf(failed), What: "the settings do not fit Kafka", Next: says, Err: errors.Unwrap(failed)}
}

// uses says what needs an operation on a topic.
var uses = []struct {
	operation kafka.Operation
	who       string
}{
	{kafka.Describe, "all programs find the partitions with it"},
	{kafka.Read, "the worker lands with it"},
	{kafka.Write, "the gateway produces with it"},
	{kafka.DescribeConfigs, "`starter setup` and `doctor` read the topic's settings with it"},
	{kafka.AlterConfigs, "`starter setup --change-topics` changes the topic's settings with it"},
}

// lacking returns the operations that are not allowed and that a run needs, each with its use.
func (d *Doctor) lacking(allowed kafka.Permissions, topics []string) (all []string) {
	if !allowed.Known {
		return nil
	}
	for _, name := range topics {
		on, exists := allowed.Topics[name]
		for _, use := range uses[:3] {
			if exists && !on[use.operation] {
				all = append(all, fmt.Sprintf("%s on topic %s is not allowed (%s)", use.operation, name, use.who))
			}
		}
	}
	if group := d.Settings.Deployment.ConsumerGroup(); !allowed.Group[kafka.Read] {
		all = append(all, fmt.Sprintf("%s on group %s is not allowed (the worker commits with it how far it has landed)", kafka.Read, group))
	}
	return all
}

// grant says how operations are allowed.
func (d *Doctor) grant() string {
	if d.Settings.Kafka.Mechanism == config.MSKIAM {
		return "allow it in the IAM policy of the role"
	}
	user := "the user"
	if d.Settings.Kafka.Username != "" {
		user = "User:" + d.Settings.Kafka.Username
	}
	return fmt.Sprintf("grant it to %s with `kafka-acls --add`", user)
}

// permissions finds the operations that the user of the settings lacks.
func (d *Doctor) permissions(ctx context.Context, admin systems.Topics) (string, error) {
	names := d.topicNames()
	allowed, err := admin.Permissions(ctx, names, d.Settings.Deployment.ConsumerGroup())
	if err != nil {
		return "", kafka.Classify(err)
	}
	if !allowed.Known {
		return "not checked: the brokers do not tell them", nil
	}
	if lacking := d.lacking(allowed, names); len(lacking) > 0 {
		return "", fmt.Errorf("%s: %s", strings.Join(lacking, "; "), d.grant())
	}
	var rest []string
	for _, name := range names {
		on, exists := allowed.Topics[name]
		for _, use := range uses[3:] {
			if exists && !on[use.operation] {
				rest = append(rest, fmt.Sprintf("%s on topic %s is not allowed (%s)", use.operation, name, use.who))
			}
		}
	}
	if len(rest) > 0 {
		return "", warning(strings.Join(rest, "; "))
	}
	return "Describe, Read and Write on the topics, Read on group " + d.Settings.Deployment.ConsumerGroup(), nil
}

// topicSettings finds topics whose settings are not those that setup gives.
func (d *Doctor) topicSettings(ctx context.Context, admin systems.Topics) (string, error) {
	_, different, err := admin.CompareTopics(ctx, setup.Topics(d.Settings, d.Kinds)...)
	if fault.KindOf(kafka.Classify(err)) == fault.Unauthorized {
		return "", warning("not checked: " + kafka.Classify(err).Error())
	}
	if err != nil {
		return "", kafka.Classify(err)
	}
	var all []string
	change := ""
	for _, one := range different {
		all = append(all, one.String())
		if !one.Kept {
			change = ": run `starter setup --change-topics`"
		}
	}
	if len(all) > 0 {
		return "", warning(strings.Join(all, "; ") + change)
	}
	return "those of the settings, with the broker's time (LogAppendTime)", nil
}
