package streams

import (
	"maps"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

// The lengths of a tag: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Tag.html
const (
	maxTagKey   = 128
	maxTagValue = 256
)

var tagFormat = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

func checkTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return Invalid("A stream can not have more than %d tags.", MaxTags)
	}
	for key, value := range tags {
		if err := checkTagKey(key); err != nil {
			return err
		}
		if utf8.RuneCountInString(value) > maxTagValue {
			return Unfit("The value of tag %s is longer than %d characters.", key, maxTagValue)
		}
		if !tagFormat.MatchString(key) || !tagFormat.MatchString(value) {
			return Invalid("Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - @ :.")
		}
	}
	return nil
}

func checkTagKey(key string) error {
	if n := utf8.RuneCountInString(key); n < 1 || n > maxTagKey {
		return Unfit("Tag key %q must have 1 to %d characters.", key, maxTagKey)
	}
	return nil
}

// AddTags adds tags to a stream, or changes them.
func (a *Account) AddTags(now time.Time, name string, tags map[string]string) error {
	if len(tags) == 0 {
		return violates("tags", "{}", "Member must have length greater than or equal to 1")
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	stream, err := a.active(now, name)
	if err != nil {
		return err
	}
	all := maps.Clone(stream.Tags)
	maps.Copy(all, tags)
	if len(all) > MaxTags {
		return Invalid("Failed to add tags to stream %s under account %s because a given stream cannot have more than %d tags associated with it.", name, AccountID, MaxTags)
	}
	stream.Tags = all
	return nil
}

// RemoveTags removes tags from a stream; keys that it does not have are ignored.
func (a *Account) RemoveTags(now time.Time, name string, keys []string) error {
	if len(keys) == 0 {
		return violates("tagKeys", "[]", "Member must have length greater than or equal to 1")
	}
	for _, key := range keys {
		if err := checkTagKey(key); err != nil {
			return err
		}
	}
	stream, err := a.active(now, name)
	if err != nil {
		return err
	}
	for _, key := range keys {
		delete(stream.Tags, key)
	}
	return nil
}

// Tag is a tag of a stream.
type Tag struct{ Key, Value string }

// Tags returns up to limit tags after the key, sorted, and whether there are more.
func (a *Account) Tags(now time.Time, name, after string, limit int) (tags []Tag, more bool, err error) {
	if limit < 1 || limit > MaxTags {
		return nil, false, violates("limit", limit, "Member must have value between 1 and 50")
	}
	stream, err := a.find(now, name)
	if err != nil {
		return nil, false, err
	}
	tags = []Tag{}
	for _, key := range slices.Sorted(maps.Keys(stream.Tags)) {
		if key > after {
			tags = append(tags, Tag{key, stream.Tags[key]})
		}
	}
	if len(tags) > limit {
		return tags[:limit], true, nil
	}
	return tags, false, nil
}
