package landing

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/dates"
)

// The layout of the folder that the deployment has in the bucket, as in s3://bucket/pinflow/: the
// client of S3 adds the folder to all keys. Landed objects are named as by the Kafka Connect S3 sink, in a folder
// for each date:
//
//	topics/<topic>/dt=<date>/partition=<p>/<topic>+<p>+<start offset, 10 digits>.json
//	topics/<topic>/dt=<date>/partition=<p>/<topic>+<p>+empty.json  (an empty range, length 0)
//	topics/<topic>/dt=<date>/partition=<p>/<topic>+<p>+import-<source>-<plan>-<n>.json  (of `starter import`)
//	imports/<source>/plan-<n>.json.gz     which objects of another pipeline go into which imported object
//	topics/<topic>/dt=<date>/partition=<p>/<topic>+<p>+<start offset>.json of length 0: offsets that Kafka lost
//	topics/<topic>/dt=<date>/partition=<p>/<topic>+<p>+<start offset>+g<generation>.json from generation 1 on
//	boundaries/<topic>/<date>.json        partition → first offset after the date
//	generations/<topic>/<generation>.json a decision to go on with a new log of the topic
//	manifests/<topic>/<date>.json         the objects of the date
//	runs/<dag>/<date>.json                the ledger
//	alarms/<dag>/<date>.json              an alarm that was posted
//	alarms/<dag>/<date>.claim-<n>.json    a worker's claim to post it
//	notes/<dag>/<date>/<time>-<random>.json
//	logs/<dag>/<date>/<run id>/<task>/try-<n>/<activity>-<activity id>-<attempt>.jsonl

// emptyMark replaces the start offset in the name of the object of an empty range. Such an object
// must not use the name of a start offset: a later landing of the date can start there.
const emptyMark = "empty"

func generationPrefix(topic string) string { return "generations/" + topic + "/" }

// generationKey has six digits, so that keys are in the order of the generations.
func generationKey(topic string, generation int) string {
	return fmt.Sprintf("%s%06d.json", generationPrefix(topic), generation)
}

func boundaryPrefix(topic string) string { return "boundaries/" + topic + "/" }

func boundaryKey(topic string, date dates.Date) string {
	return boundaryPrefix(topic) + string(date) + ".json"
}

// boundaryDate returns the date of a boundary by its key.
func boundaryDate(topic, key string) (dates.Date, error) {
	return dates.Parse(strings.TrimSuffix(strings.TrimPrefix(key, boundaryPrefix(topic)), ".json"))
}

func manifestKey(topic string, date dates.Date) string {
	return "manifests/" + topic + "/" + string(date) + ".json"
}

func topicPrefix(topic string) string { return "topics/" + topic + "/" }

func datePrefix(topic string, date dates.Date) string {
	return topicPrefix(topic) + "dt=" + string(date) + "/"
}

func partitionPrefix(topic string, date dates.Date, partition int) string {
	return datePrefix(topic, date) + "partition=" + strconv.Itoa(partition) + "/"
}

// objectKey returns the key of an object by its partition, generation and first offset. Generations have
// names of their own, because their offsets overlap; readers find partition and offset where they
// are without one.
func objectKey(topic string, date dates.Date, o Object) string {
	generation := ""
	if o.Generation > 0 {
		generation = generationMark + strconv.Itoa(o.Generation)
	}
	return fmt.Sprintf("%s%s+%d+%010d%s.json", partitionPrefix(topic, date, o.Partition), topic, o.Partition, o.Start, generation)
}

// generationMark is between the first offset and the generation in the name of an object.
const generationMark = "+g"

func emptyKey(topic string, date dates.Date, partition int) string {
	return fmt.Sprintf("%s%s+%d+%s.json", partitionPrefix(topic, date, partition), topic, partition, emptyMark)
}

// parseObjectKey returns what the key of a landed object says: partition, generation and first offset,
// or that it is the object of an empty range. ok is false for keys that landing does not write.
func parseObjectKey(topic string, date dates.Date, key string) (o Object, ok bool) {
	name := strings.TrimSuffix(strings.TrimPrefix(key[strings.LastIndexByte(key, '/')+1:], topic+"+"), ".json")
	name, generation, later := strings.Cut(name, generationMark)
	partition, start, _ := strings.Cut(name, "+")
	o.Key = key
	var errs [3]error
	if o.Partition, errs[0] = strconv.Atoi(partition); start == emptyMark && !later && errs[0] == nil {
		o.Empty = true
		return o, key == emptyKey(topic, date, o.Partition)
	}
	o.Start, errs[1] = strconv.ParseInt(start, 10, 64)
	if later {
		o.Generation, errs[2] = strconv.Atoi(generation)
	}
	return o, errors.Join(errs[:]...) == nil && key == objectKey(topic, date, o)
}
