package landing

import (
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
//	topics/<topic>/dt=<date>/partition=<p>/<topic>+<p>+<start offset>.json of length 0: offsets that Kafka lost
//	boundaries/<topic>/<date>.json        partition → first offset after the date
//	manifests/<topic>/<date>.json         the objects of the date
//	runs/<dag>/<date>.json                the ledger
//	alarms/<dag>/<date>.json              an alarm that was posted
//	alarms/<dag>/<date>.claim-<n>.json    a worker's claim to post it
//	notes/<dag>/<date>/<time>-<random>.json
//	logs/<dag>/<date>/<run id>/<task>/try-<n>/<activity>-<activity id>-<attempt>.jsonl

// emptyMark replaces the start offset in the name of the object of an empty range. Such an object
// must not use the name of a start offset: a later landing of the date can start there.
const emptyMark = "empty"

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

func datePrefix(topic string, date dates.Date) string {
	return "topics/" + topic + "/dt=" + string(date) + "/"
}

func partitionPrefix(topic string, date dates.Date, partition int) string {
	return datePrefix(topic, date) + "partition=" + strconv.Itoa(partition) + "/"
}

func objectKey(topic string, date dates.Date, partition int, start int64) string {
	return fmt.Sprintf("%s%s+%d+%010d.json", partitionPrefix(topic, date, partition), topic, partition, start)
}

func emptyKey(topic string, date dates.Date, partition int) string {
	return fmt.Sprintf("%s%s+%d+%s.json", partitionPrefix(topic, date, partition), topic, partition, emptyMark)
}

// parseObjectKey returns partition and start offset of a landed object; empty reports whether it is
// the object of an empty range. ok is false for keys that landing does not write.
func parseObjectKey(topic string, date dates.Date, key string) (partition int, start int64, empty, ok bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(name, topic+"+"), ".json"), "+")
	if len(parts) != 2 {
		return 0, 0, false, false
	}
	partition, err := strconv.Atoi(parts[0])
	if err != nil {
		return 0, 0, false, false
	}
	if parts[1] == emptyMark {
		return partition, 0, true, key == emptyKey(topic, date, partition)
	}
	start, err = strconv.ParseInt(parts[1], 10, 64)
	return partition, start, false, err == nil && key == objectKey(topic, date, partition, start)
}
