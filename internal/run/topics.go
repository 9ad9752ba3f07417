package run

import (
	"cmp"
	"strings"
)

// Post is the kind of the records that have all fields of a post, those of its pin, geo and user
// record.
const Post = "post"

// PostsTopic is the default name of the topic of posts.
const PostsTopic = "Pinterest_data"

// Topics names the topics of a deployment.
type Topics struct {
	// UserID is the prefix of the topics of pin, geo and user records.
	UserID string
	// Posts is the topic of posts, which has no prefix; PostsTopic if it is empty.
	Posts string
}

// Name returns the topic of one kind of record: pin, geo, user or Post.
func (t Topics) Name(kind string) string {
	if kind == Post {
		return cmp.Or(t.Posts, PostsTopic)
	}
	return t.UserID + "." + kind
}

// Of returns the topics whose records are cleaned as one kind: pin, geo or user. Posts are of all
// kinds.
func (t Topics) Of(kind string) []string { return []string{t.Name(kind), t.Name(Post)} }

// In returns these topics as the right side of IN in Databricks SQL: ('u.pin', 'Pinterest_data').
func (t Topics) In(kind string) string {
	topics := t.Of(kind)
	for i, topic := range topics {
		topics[i] = "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(topic) + "'"
	}
	return "(" + strings.Join(topics, ", ") + ")"
}
