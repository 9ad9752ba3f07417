package reference

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
)

// Generate returns n posts as records of the three topics, in the order in which they were sent:
// with the faults of real records, and some hostile ones. The same seed gives the same records.
func Generate(seed uint64, n int) map[string][]string {
	g := &generator{rand.New(rand.NewPCG(seed, 1))}
	lines := map[string][]string{}
	for range n {
		ind := g.IntN(max(2, n*2/3)) // some posts are sent again with changes
		lines["pin"] = append(lines["pin"], g.wire(g.pin(ind), "pin"))
		lines["geo"] = append(lines["geo"], g.wire(g.geo(ind), "geo"))
		lines["user"] = append(lines["user"], g.wire(g.user(ind), "user"))
	}
	return lines
}

// GeneratePosts returns n posts as records with the fields of all kinds, in the order in which they
// were sent, with the same faults.
func GeneratePosts(seed uint64, n int) []string {
	g := &generator{rand.New(rand.NewPCG(seed, 2))}
	var lines []string
	for range n {
		ind := g.IntN(max(2, n*2/3))
		record := g.pin(ind)
		maps.Copy(record, g.geo(ind))
		maps.Copy(record, g.user(ind))
		lines = append(lines, g.wire(record, "pin"))
	}
	return lines
}

type generator struct{ *rand.Rand }

func (g *generator) of(choices ...any) any { return choices[g.IntN(len(choices))] }

// odd returns the usual value, and sometimes one of the others.
func (g *generator) odd(usual any, values ...any) any {
	if g.IntN(25) == 0 {
		return g.of(values...)
	}
	return usual
}

// unusual are values of fields that are no strings, and that engines spell differently.
var unusual = []any{
	json.RawMessage("1e5"), json.RawMessage("1E-7"), json.RawMessage("1.50"), json.RawMessage("-0"), json.RawMessage("12345678901234567890"),
	0.001, -12.5, 10000000.5, true, 7, []any{1.5, "a"}, map[string]any{"a": []int{}}, `"`, "\\u0041",
}

func (g *generator) pin(ind int) map[string]any {
	return map[string]any{
		"index":             g.odd(ind, fmt.Sprint(ind), nil, -1, "1e3", true, "1234567890123456789", "123456789012345678", "7\n", []int{1}, map[string]any{}),
		"unique_id":         g.odd(fmt.Sprintf("%08d-0000-4000-8000-%012d", ind, g.IntN(1e9)), "short", nil, 5, strings.Repeat("g", 36), strings.Repeat("-", 36)),
		"title":             g.of("No Title Data Available", "Ideas", "", " \u00a0\t", "Déco ✨ дом", "\x00"),
		"description":       g.of("Untitled", "Art.", "Art. ", "No description available", "a\nb", "<b>…\u00a0"),
		"follower_count":    g.odd(g.of("12k", "3M", "0", "941", "999k", "User Info Error"), nil, "", "5K", "12 k", "12k\n", "1234567890123M", "999999999999M", 12, 1.5, "-1", "٣"),
		"poster_name":       g.odd(g.of("User Info Error", "Ann", "Bob", "Cy ✨", " ", nil, "\u2003"), unusual...),
		"tag_list":          g.of("N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e", "a,b"),
		"is_image_or_video": "image", "image_src": g.of("Image src error.", "https://example.com/a.jpg"), "downloaded": 1,
		"save_location": "Local save in /data/art", "category": g.odd(g.of("art", "travel", "quotes", "", nil, "\u00a0"), unusual...),
	}
}

func (g *generator) geo(ind int) map[string]any {
	return map[string]any{
		"ind":       g.odd(ind, fmt.Sprint(ind), nil, "x", "00000000000000000001"),
		"timestamp": g.odd(g.moment(2017, 2023), nil, "", "2022-02-30 00:00:00", "2022-01-01", "2022-01-01 24:00:00", "0000-01-01 00:00:00", "2022-01-01T00:00:00Z", "2022-01-01 00:00:60", "epoch", 5),
		"latitude":  g.odd(g.of(-89.9787, 12, 0, 1e-7), nil, "12.5", "x", "1e400", "NaN", "5d", "1_0", true, "-.5"),
		"longitude": g.odd(g.of(-173.293, 8.65953, 180), nil, "1e5", "", "0x10", "Infinity"),
		"country":   g.odd(g.of("Albania", "Cote d'Ivoire", "Åland", "", nil, " "), unusual...),
	}
}

func (g *generator) user(ind int) map[string]any {
	return map[string]any{
		"ind":         g.odd(ind, fmt.Sprint(ind), nil, "-5"),
		"first_name":  g.odd(g.of("Ann", "Bo"), nil, ""),
		"last_name":   g.odd(g.of("Lee", "Ng"), nil, ""),
		"age":         g.odd(g.of(17, 18, 24, 25, 35, 36, 50, 51, 60), nil, "33", "1000", 2.5, "", "12\n", "007"),
		"date_joined": g.odd(g.moment(2014, 2022), nil, "yesterday", "2016-13-01 00:00:00", "2016-01-01 23:59:60"),
	}
}

func (g *generator) moment(from, to int) string {
	return fmt.Sprintf("%d-%02d-%02d%s%02d:%02d:%02d", from+g.IntN(to-from), 1+g.IntN(12), 1+g.IntN(28), g.of(" ", "T"), g.IntN(24), g.IntN(60), g.IntN(60))
}

// wire encodes a record, and corrupts some.
func (g *generator) wire(record map[string]any, kind string) string {
	b, err := json.Marshal(record)
	if err != nil {
		panic(err) // all generated values have a JSON form
	}
	text := string(b)
	switch g.IntN(60) {
	case 0:
		return "[" + text + "]"
	case 1:
		return "[" + text + `,5,"{\"index\":1,\"ind\":1}",null,[` + text + "]," + text + "]"
	case 2:
		return "[[" + text + "],[" + text + "]]"
	case 3:
		return text[:len(text)/2]
	case 4:
		quoted, _ := json.Marshal(text) // a string has a JSON form
		return string(quoted)
	case 5:
		return text + " trailing"
	case 6:
		return strings.Replace(text, "{", `{"country":"A","country":"B",`, 1)
	case 7:
		return strings.Replace(text, "{", `{"x":"\ud800",`, 1)
	case 8:
		return strings.Replace(text, "{", `{"x":1e400,`, 1)
	case 9:
		return g.of("[]", "5", "null", `"x"`, "[1,2]", "{}", "[{}]", "not json", "{'index':1}").(string)
	case 10:
		wrong := map[string]map[string]any{"pin": g.geo(1), "geo": g.user(2), "user": g.pin(3)}[kind]
		b, _ := json.Marshal(wrong) // as above
		return string(b)
	}
	return text
}
