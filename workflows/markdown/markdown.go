// Package markdown is the text of the pages of workflows in the Web UI.
package markdown

import (
	"fmt"
	"net/url"
	"strings"
)

// special holds the characters that mean something in the Markdown of the Web UI, within a line:
// CommonMark, tables, strikethrough, and bare links, which have a colon or an at sign.
const special = "\\`*_[]<>|~&!:@$"

// Escape returns a text for a page of the Web UI, which shows it as it is, on one line. Whatever
// comes from data or from people passes through it: an error that quotes a table or a pattern would
// otherwise lose its underscores and asterisks, break the table, or become a link.
func Escape(text string) string {
	var b strings.Builder
	for _, c := range strings.Join(strings.Fields(text), " ") {
		if c < 0x80 && strings.ContainsRune(special, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return strings.ReplaceAll(b.String(), "www.", `www\.`)
}

// Link returns a link to a page. Only pages of the web are links.
func Link(text, address string) string {
	page, err := url.Parse(address)
	if err != nil || page.Scheme != "http" && page.Scheme != "https" {
		return Escape(text) + " " + Escape(address)
	}
	return fmt.Sprintf("[%s](%s)", Escape(text), inLink.Replace(address))
}

// inLink encodes the characters that would end a link or a cell of a table.
var inLink = strings.NewReplacer("(", "%28", ")", "%29", "|", "%7C", "<", "%3C", ">", "%3E", `\`, "%5C", " ", "%20", "\n", "", "\t", "", "\r", "")

// Row returns a row of a table. Its cells are Markdown.
func Row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

// Head returns the head of a table. Its cells are Markdown.
func Head(cells ...string) string {
	return Row(cells...) + "|" + strings.Repeat("---|", len(cells)) + "\n"
}
