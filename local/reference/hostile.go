package reference

import (
	"fmt"
	"slices"
	"strings"
)

// Hostile returns records at the edges of each rule of landing and cleaning, by kind. They are the
// same each time.
func Hostile() map[string][]string {
	all := map[string][]string{}
	for _, kind := range []string{"pin", "geo", "user"} {
		h := &hostile{kind: kind}
		for _, field := range valid[kind] {
			h.missing(field[0])
			for _, raw := range slices.Concat(edges[field[0]], anyText) {
				h.add(h.record(field[0], raw))
			}
		}
		for _, form := range forms {
			h.add(strings.ReplaceAll(form, "%", h.record("", "")))
		}
		all[kind] = h.records
	}
	return all
}

type hostile struct {
	kind    string
	records []string
}

func (h *hostile) add(record string) { h.records = append(h.records, record) }

// record returns a valid record of a post of its own, in which the field is what raw says.
func (h *hostile) record(field, raw string) string {
	var b strings.Builder
	for i, f := range valid[h.kind] {
		value := f[1]
		if i == 0 {
			value = fmt.Sprint(1000 + len(h.records))
		}
		if f[0] == field {
			value = raw
		}
		fmt.Fprintf(&b, `,"%s":%s`, f[0], value)
	}
	return "{" + b.String()[1:] + "}"
}

// missing adds a record without the field.
func (h *hostile) missing(field string) {
	record := h.record(field, "?")
	record = strings.Replace(record, fmt.Sprintf(`,"%s":?`, field), "", 1)
	h.add(strings.Replace(record, fmt.Sprintf(`"%s":?,`, field), "", 1))
}

// valid holds the fields of a valid record; the first one is the key.
var valid = map[string][][2]string{
	"pin": {
		{"index", "1"}, {"unique_id", `"fbe53c66-3442-4773-b19e-d3ec6f54dddf"`}, {"follower_count", `"12k"`}, {"title", `"Title"`}, {"description", `"Text"`},
		{"poster_name", `"Ann"`}, {"tag_list", `"a,b"`}, {"is_image_or_video", `"image"`}, {"image_src", `"https://example.com/a.jpg"`},
		{"save_location", `"Local save in /data/art"`}, {"category", `"art"`},
	},
	"geo": {
		{"ind", "1"}, {"timestamp", `"2022-10-18 12:00:00"`}, {"latitude", "12.5"}, {"longitude", "-8.25"}, {"country", `"Albania"`},
	},
	"user": {
		{"ind", "1"}, {"first_name", `"Ann"`}, {"last_name", `"Lee"`}, {"age", "30"}, {"date_joined", `"2016-02-29 00:00:00"`},
	},
}

// anyText holds values for all fields.
var anyText = []string{
	`null`, `true`, `""`, `" "`, `"\t\n\r"`, `"\u00a0"`, `"\u000b\u001c\u001f\u0085"`, `"\u1680\u2000\u2028\u2029\u3000"`, `"\u200b"`, `"\ufeff"`, `"\u0000"`, `"x\u0000y"`, `"\u0001"`,
	`0`, `-0`, `7`, `1.0`, `1.50`, `1e5`, `1E-7`, `-12.5`, `0.0001`, `10000000.5`, `123456789012345678`, `1234567890123456789012`, `0.1234567890123456`,
	`[]`, `{}`, `[1, "a"]`, `{"a" : [1.50]}`, `"\ud83c\udf84 🎄"`, `"\u0041\/\"\\"`, `"é\u0301"`, `"\u2028"`, `"<b>&amp;</b>'"`,
	"\"" + strings.Repeat("long ", 20_000) + "\"",
}

var times = []string{
	`"2022-10-18T12:00:00"`, `"2022-10-18t12:00:00"`, `"2022-10-18  12:00:00"`, `"2022-10-18 12:00"`, `"2022-10-18"`, `"2022-10-18 12:00:00Z"`, `"2022-10-18 12:00:00+02:00"`,
	`"2022-10-18 12:00:00.5"`, `"2022-10-18 12:00:00\n"`, `" 2022-10-18 12:00:00"`, `"2022-10-18 23:59:59"`, `"2022-10-18 24:00:00"`, `"2022-10-18 23:60:00"`, `"2022-10-18 23:59:60"`,
	`"2000-02-29 00:00:00"`, `"1900-02-29 00:00:00"`, `"2022-02-29 00:00:00"`, `"2022-02-30 00:00:00"`, `"2022-13-01 00:00:00"`, `"2022-00-01 00:00:00"`, `"2022-04-31 00:00:00"`,
	`"0000-01-01 00:00:00"`, `"0001-01-01 00:00:00"`, `"1582-10-10 12:00:00"`, `"1883-11-18 12:03:57"`, `"9999-12-31 23:59:59"`, `"10000-01-01 00:00:00"`,
	// Neither is a moment, or is two moments, in New York.
	`"2022-03-13 02:30:00"`, `"2022-11-06 01:30:00"`, `"2016-03-13 02:30:00"`, `"epoch"`, `"infinity"`, `"now"`, `"٢٠٢٢-10-18 12:00:00"`,
}

var coordinates = []string{
	`-0.0`, `90`, `"90"`, `"-90.5"`, `"1e5"`, `"1E+5"`, `"1e-5"`, `"1e"`, `"1."`, `".5"`, `"+1"`, `"1d"`, `"1f"`, `"0x10"`, `"1_0"`, `" 1"`, `"1\n"`, `"1 2"`, `"NaN"`, `"Infinity"`,
	`1.7976931348623157e308`, `"1.7976931348623157e308"`, `"1.7976931348623159e308"`, `"1e309"`, `"-1e309"`, `5e-324`, `"1e-400"`, `"00012.5"`, `"0.1234567890123456789"`, `"٣"`,
}

var keys = []string{`"1"`, `"000000000000000001"`, `"0000000000000000001"`, `"123456789012345678"`, `"1234567890123456789"`, `"-1"`, `"+1"`, `"1 "`, `" 1"`, `"1\n"`, `"１"`, `"1e3"`, `"0x1"`, `1e0`, `"1.0"`}

var edges = map[string][]string{
	"index": keys, "ind": keys, "timestamp": times, "date_joined": times, "latitude": coordinates, "longitude": coordinates,
	"unique_id": {
		`"FBE53C66-3442-4773-B19E-D3EC6F54DDDF"`, `"fbe53c66-3442-4773-b19e-d3ec6f54ddd"`, `"fbe53c66-3442-4773-b19e-d3ec6f54dddf0"`, `"fbe53c66-3442-4773-b19e-d3ec6f54dddg"`,
		`"fbe53c66-3442-4773-b19e-d3ec6f54dddf\n"`, `"------------------------------------"`, `"fbe53c66-3442-4773-b19e-d3ec6f54ddd\u0000"`, `"\u0066be53c66-3442-4773-b19e-d3ec6f54dddf"`,
	},
	"follower_count": {
		`"0"`, `"999"`, `"1k"`, `"3M"`, `"12K"`, `"3m"`, `"1.5k"`, `"1,000"`, `"k"`, `"M"`, `"12 k"`, `"12k "`, `"12k\n"`, `"-1"`, `"+1"`, `"٣"`, `"1kM"`, `12`, `12.0`, `1e3`,
		`"123456789012"`, `"1234567890123"`, `"999999999999k"`, `"999999999999M"`, `"000000000012"`, `"User Info Error"`,
	},
	"title":         {`"No Title Data Available"`, `"No Title Data Available "`, `"no title data available"`},
	"description":   {`"No description available"`, `"No description available Story format"`, `"Untitled"`, `"untitled"`, `"Art."`, `"Art"`},
	"poster_name":   {`"User Info Error"`, `" User Info Error"`},
	"tag_list":      {`"N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"`, `"N,o, ,T,a,g,s"`},
	"image_src":     {`"Image src error."`, `"Image src error"`},
	"save_location": {`"Local save in "`, `"Local save in Local save in x"`, `"local save in x"`, `" Local save in x"`, `"Local save in \u00a0"`, `"a\nLocal save in x"`},
	"age":           {`"0"`, `"007"`, `"999"`, `"1000"`, `"-1"`, `"17"`, `"18"`, `"24"`, `"25"`, `"35"`, `"36"`, `"50"`, `"51"`, `"30 "`, `"30\n"`, `"30.0"`, `30.0`, `"３"`},
}

// forms holds records as a whole; % is a valid record.
var forms = []string{
	``, ` `, "\n", `null`, `true`, `5`, `"x"`, `not json`, `{}`, `[]`, `[1,2]`, `[{}]`, `[null]`, `["%"]`, `{`, `%}`, `[%`, `[%]`, ` [ % , % ] `, `[%,5,"{}",null,[%],%]`, `[[%]]`, `[[%],[%]]`,
	"\t\r\n%\r\n", "\ufeff%", `% trailing`, `%%`, `%,`, `%//comment`, `/* comment */%`, "%\x00", "\x01%", "\xff%", "{\"x\":\"\xff\"}", `{'index':1,'ind':1}`, `{index:1,ind:1}`,
	`{"x":1,"x":2}`, `{"x":1,"\u0078":2}`, `{"x":"\ud800"}`, `{"x":"\udc00\ud800"}`, `{"x":NaN}`, `{"x":Infinity}`, `{"x":-Infinity}`, `{"x":1,}`, `{"x":01}`, `{"x":+1}`, `{"x":.5}`, `{"x":1.}`, `{"x":0x10}`,
	`{"x":1e400}`, `{"x":-1e400}`, `{"x":1e-400}`, "{\"x\":\"\t\"}", `{"":%}`, `{"x":%,"y":[%]}`, `{"_corrupt_record":"x"}`, `{"Index":1,"IND":1,"Unique_Id":"x","Latitude":1,"First_Name":"x"}`,
	`[{"x":1e400},%]`, `[%,{"x":1,"x":2}]`, `[% , {"title":1.50,"country":1.50,"first_name":1.50}]`,
	`{"x":0.` + strings.Repeat("1", 998) + `}`, `{"x":0.` + strings.Repeat("1", 999) + `}`, `{"x":` + strings.Repeat("9", 310) + `}`,
	`[%,{"` + strings.Repeat("n", 50_000) + `":1}]`, `[%,{"` + strings.Repeat("n", 50_001) + `":1}]`,
	`[%,` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + `]`, `[%,` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `]`,
}
