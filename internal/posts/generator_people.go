package posts

import (
	"fmt"
	"strings"
	"time"
)

// The times of posts and of joining. Users join before the first post.
var (
	firstJoined = time.Date(2015, 10, 21, 0, 0, 0, 0, time.UTC)
	lastJoined  = time.Date(2017, 10, 18, 23, 59, 59, 0, time.UTC)
	firstPosted = time.Date(2017, 10, 20, 0, 0, 0, 0, time.UTC)
	lastPosted  = time.Date(2022, 10, 18, 23, 59, 59, 0, time.UTC)
)

// people is the number of users. Some have several posts.
const people = 9_000

// geoRow returns the place and time of a post.
func geoRow(row int) []byte {
	d := newDice(streamGeo, row)
	var o object
	o.number("ind", row)
	o.text("timestamp", d.moment(firstPosted, lastPosted))
	o.raw("latitude", degrees(d.between(-90_0000, 90_0000)))
	o.raw("longitude", degrees(d.between(-180_0000, 180_0000)))
	o.text("country", countries[d.low(len(countries), d.between(1, 3))]) // as in the real data, countries at the start of the alphabet are more frequent
	return o.end()
}

// degrees formats ten thousandths of a degree as a JSON number without trailing zeros.
func degrees(tenThousandths int) string {
	sign := ""
	if tenThousandths < 0 {
		sign, tenThousandths = "-", -tenThousandths
	}
	text := strings.TrimRight(fmt.Sprintf("%s%d.%04d", sign, tenThousandths/10_000, tenThousandths%10_000), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}

// userRow returns the user of a post.
func userRow(row int) []byte {
	person := newDice(streamPerson, newDice(streamUser, row).low(people, 2))
	var o object
	o.number("ind", row)
	o.text("first_name", person.pick(firstNames))
	o.text("last_name", person.pick(lastNames))
	o.number("age", 20+person.low(41, 3))
	o.text("date_joined", person.moment(firstJoined, lastJoined))
	return o.end()
}
