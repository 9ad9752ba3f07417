package posts

import (
	"fmt"
	"strconv"
	"strings"
)

// Texts of the scraper for missing values.
const (
	noTitle    = "No Title Data Available"
	noUser     = "User Info Error"
	noTags     = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"
	noImage    = "Image src error."
	noText     = "No description available"
	storyText  = "No description available Story format"
	storyMedia = "multi-video(story page format)"
)

// pinRow returns a pin. Shares and combinations are those of 1,618 real pins: a pin without user
// information is a story without title, tags and image; a story has no description; a pin without
// an image has not been downloaded.
func pinRow(row int) []byte {
	d := newDice(streamPin, row)
	category := categoryOf(row)
	media, noInfo, imageLost := "image", false, false
	switch roll := d.n(10_000); {
	case roll < 105:
		media, noInfo, imageLost = storyMedia, true, true
	case roll < 270:
		media, imageLost = storyMedia, true
	case roll < 790:
		media = storyMedia
	case roll < 1090:
		media = "video"
	}
	title, tags, poster, followers := titleOf(d, category), tagsOf(d, category), posterOf(d), followersOf(d)
	text := descriptionOf(d, category)
	if media == storyMedia {
		text = storyText
	}
	if d.share(56) {
		tags = noTags
	}
	if noInfo {
		title, tags, poster, followers = noTitle, noTags, noUser, noUser
	}
	image, downloaded := imageOf(d), 1
	if imageLost {
		image, downloaded = noImage, 0
	}

	var o object
	o.number("index", row)
	o.text("unique_id", uuidOf(d))
	o.text("title", title)
	o.text("description", text)
	o.text("poster_name", poster)
	o.text("follower_count", followers)
	o.text("tag_list", tags)
	o.text("is_image_or_video", media)
	o.text("image_src", image)
	o.number("downloaded", downloaded)
	o.text("save_location", "Local save in /data/"+category.name)
	o.text("category", category.name)
	return o.end()
}

// followersOf returns a follower count: thousands for 72.6 % of the pins, plain numbers for 18.7 %,
// millions for 7.7 %. 1 % of the pins have none.
func followersOf(d *dice) string {
	skewed := func(n int) int { // many small numbers, few large ones
		x := d.n(1000)
		return x * x / 1000 * x / 1000 * n / 1000
	}
	switch roll := d.n(990); {
	case roll < 726:
		return strconv.Itoa(1+skewed(999)) + "k"
	case roll < 726+187:
		return strconv.Itoa(skewed(1000))
	default:
		return strconv.Itoa(1+d.low(15, 4)) + "M"
	}
}

func titleOf(d *dice, c *category) string {
	title := strings.NewReplacer("{n}", strconv.Itoa(d.between(5, 60)), "{adj}", d.pick(adjectives), "{noun}", d.pick(c.nouns),
		"{Noun}", d.pick(c.nouns), "{year}", strconv.Itoa(d.between(2017, 2022))).Replace(d.pick(titles))
	switch {
	case d.share(160):
		return title + " " + d.pick(emoji)
	case d.share(20):
		return d.pick(cyrillic)
	}
	return title
}

func descriptionOf(d *dice, c *category) string {
	switch roll := d.n(10_000); {
	case roll < 185:
		return noText
	case roll < 196:
		return "Untitled"
	case roll < 207:
		return "Art."
	}
	var sentences []string
	for range d.between(1, 3) {
		sentences = append(sentences, strings.NewReplacer("{adj}", d.pick(adjectives), "{noun}", d.pick(c.nouns), "{Noun}", d.pick(c.nouns),
			"{tag}", c.name).Replace(d.pick(phrases)))
	}
	joint := " "
	if d.share(100) {
		joint = "\n"
	}
	text := strings.Join(sentences, joint)
	switch {
	case d.share(4100): // truncated by the site
		return text + "…\u00a0"
	case d.share(160):
		return text + " " + d.pick(emoji)
	case d.share(30):
		return "<p>" + text + "</p> &amp; more"
	case d.share(20):
		return d.pick(cyrillic)
	}
	return text
}

func tagsOf(d *dice, c *category) string {
	tags := make([]string, 9)
	for i := range tags {
		tags[i] = d.pick(adjectives) + " " + d.pick(c.nouns)
	}
	return strings.Join(tags, ",")
}

func posterOf(d *dice) string {
	number := d.low(len(posterFirst)*len(posterLast), 2)
	return posterFirst[number/len(posterLast)] + " " + posterLast[number%len(posterLast)]
}

func imageOf(d *dice) string {
	hash := fmt.Sprintf("%016x%016x", d.source.Uint64(), d.source.Uint64())
	ending := "jpg"
	switch roll := d.n(1000); {
	case roll < 155:
		ending = "png"
	case roll < 161:
		ending = "webp"
	case roll < 162:
		ending = "gif"
	}
	return fmt.Sprintf("https://i.example.com/originals/%s/%s/%s/%s.%s", hash[0:2], hash[2:4], hash[4:6], hash, ending)
}

// uuidOf returns a random UUID (version 4).
func uuidOf(d *dice) string {
	high, low := d.source.Uint64(), d.source.Uint64()
	high = high&^uint64(0xf000) | 0x4000
	low = low&^(uint64(3)<<62) | 1<<63
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&(1<<48-1))
}
