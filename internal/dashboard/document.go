// Package dashboard puts the answers on a Databricks AI/BI dashboard, and compares the two.
package dashboard

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/answers"
)

// document is the content of a dashboard, a .lvdash.json file: the fields that Pinflow sets. Widths
// are in columns of a grid of six, heights in its rows.
type document struct {
	Datasets []dataset `json:"datasets"`
	Pages    []page    `json:"pages"`
}

// dataset is a query. Its lines are joined as they are.
type dataset struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	QueryLines  []string `json:"queryLines"`
}

type page struct {
	Name        string   `json:"name"`
	DisplayName string   `json:"displayName"`
	PageType    string   `json:"pageType"`
	Layout      []placed `json:"layout"`
}

type placed struct {
	Widget   widget   `json:"widget"`
	Position position `json:"position"`
}

type position struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

// widget is a text, or a chart or table of a dataset.
type widget struct {
	Name    string        `json:"name"`
	Textbox *textbox      `json:"multilineTextboxSpec,omitempty"`
	Queries []widgetQuery `json:"queries,omitempty"`
	Spec    *spec         `json:"spec,omitempty"`
}

type textbox struct {
	Lines []string `json:"lines"`
}

type widgetQuery struct {
	Name  string     `json:"name"`
	Query fieldQuery `json:"query"`
}

// fieldQuery selects fields of a dataset. Disaggregated is a row for each row, without grouping.
type fieldQuery struct {
	DatasetName   string  `json:"datasetName"`
	Fields        []field `json:"fields"`
	Disaggregated bool    `json:"disaggregated"`
}

type field struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

// spec says how a widget shows its query. The version is that of the kind of widget: 2 for tables, 3
// for charts.
type spec struct {
	Version    int            `json:"version"`
	WidgetType string         `json:"widgetType"`
	Encodings  map[string]any `json:"encodings"`
	Frame      frame          `json:"frame"`
}

type frame struct {
	Title     string `json:"title"`
	ShowTitle bool   `json:"showTitle"`
}

// encoding maps a field to a part of a widget.
type encoding struct {
	FieldName   string `json:"fieldName"`
	DisplayName string `json:"displayName"`
	Scale       *scale `json:"scale,omitempty"`
}

type scale struct {
	Type string `json:"type"`
	Sort *order `json:"sort,omitempty"`
}

type order struct {
	By string `json:"by"`
}

const (
	gridWidth   = 6
	headHeight  = 2
	chartHeight = 7
	// bars is how many bars a chart has at most: the largest.
	bars = 15
)

// build returns the dashboard of tables: for each a chart, if it has the form of one, and the table.
func build(dag string, tables []answers.Table, name func(table string) string) document {
	d := document{Datasets: []dataset{}}
	p := page{Name: "answers", DisplayName: "Answers", PageType: "PAGE_TYPE_CANVAS"}
	head := fmt.Sprintf("# Answers of %s\n\nEach run of the DAG rebuilds these tables, from all dates. `starter why <table> <date>` shows which run it was.", dag)
	p.Layout = append(p.Layout, placed{widget{Name: "head", Textbox: &textbox{[]string{head}}}, position{0, 0, gridWidth, headHeight}})
	for i, table := range tables {
		columns := strings.Join(quoted(table.ColumnNames()), ", ")
		if columns == "" {
			columns = "*"
		}
		d.Datasets = append(d.Datasets, dataset{table.Name, table.Title, []string{"SELECT " + columns + " FROM " + name(table.Name) + ordered(table)}})
		at := position{0, headHeight + i*chartHeight, gridWidth, chartHeight}
		if chart, own, ok := chartOf(table, name); ok {
			d.Datasets = append(d.Datasets, own...)
			at.Width = gridWidth / 2
			p.Layout = append(p.Layout, placed{chart, at})
			at.X = gridWidth / 2
		}
		if len(table.Columns) > 0 {
			p.Layout = append(p.Layout, placed{tableOf(table), at})
		}
	}
	d.Pages = []page{p}
	return d
}

// ordered returns the order of the rows: by their columns.
func ordered(table answers.Table) string {
	if len(table.Columns) == 0 {
		return ""
	}
	return " ORDER BY " + strings.Join(quoted(table.ColumnNames()), ", ")
}

func quoted(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return all
}

func tableOf(table answers.Table) widget {
	var columns []encoding
	for _, column := range table.Columns {
		columns = append(columns, encoding{FieldName: column.Name, DisplayName: column.Title})
	}
	return widget{
		Name: table.Name + "_table", Queries: queries(table.Name, table.ColumnNames()...),
		Spec: &spec{2, "table", map[string]any{"columns": columns}, frame{table.Title, true}},
	}
}

func queries(dataset string, names ...string) []widgetQuery {
	q := fieldQuery{DatasetName: dataset, Disaggregated: true}
	for _, name := range names {
		q.Fields = append(q.Fields, field{name, quoted([]string{name})[0]})
	}
	return []widgetQuery{{"main_query", q}}
}

// chartOf returns the chart of a table, with a dataset if it needs one of its own: lines over years,
// or the largest as bars. The last column holds the values.
func chartOf(table answers.Table, name func(table string) string) (widget, []dataset, bool) {
	last := len(table.Columns) - 1
	if last < 1 || table.Columns[last].Kind == answers.Text || table.Columns[last].Kind == answers.Year {
		return widget{}, nil, false
	}
	value := table.Columns[last]
	quantity := encoding{value.Name, value.Title, &scale{Type: "quantitative"}}
	w := widget{Name: table.Name + "_chart", Spec: &spec{Version: 3, Frame: frame{table.Title, true}}}
	if years := table.Columns[last-1]; years.Kind == answers.Year && last <= 2 {
		w.Spec.WidgetType = "line"
		w.Spec.Encodings = map[string]any{"x": encoding{years.Name, years.Title, &scale{Type: "categorical"}}, "y": quantity}
		if last == 2 {
			w.Spec.Encodings["color"] = encoding{table.Columns[0].Name, table.Columns[0].Title, &scale{Type: "categorical"}}
		}
		w.Queries = queries(table.Name, table.ColumnNames()...)
		return w, nil, true
	}
	byYear := table.Columns[0].Kind == answers.Year
	set := labelled(table, name, byYear)
	key := encoding{label, table.Columns[0].Title, &scale{Type: "categorical"}}
	if byYear {
		w.Spec.WidgetType, w.Spec.Encodings = "line", map[string]any{"x": key, "y": quantity}
	} else {
		key.Scale.Sort = &order{"x-reversed"}
		w.Spec.WidgetType, w.Spec.Encodings = "bar", map[string]any{"x": quantity, "y": key}
	}
	w.Queries = queries(set.Name, label, value.Name)
	return w, []dataset{set}, true
}

// label is the column that names a bar or a point.
const label = "label"

// labelled returns the dataset of a chart whose bars or points have several columns as their name:
// with years all in their order, or the largest. Rows of a year that tie are one point of a line.
func labelled(table answers.Table, name func(table string) string, byYear bool) dataset {
	last := len(table.Columns) - 1
	names := quoted(table.ColumnNames())
	value, keys := names[last], slices.Clone(names[:last])
	for i, key := range keys {
		keys[i] = "CAST(" + key + " AS STRING)"
	}
	named := dotted(keys)
	rest := fmt.Sprintf("ORDER BY %s DESC, `%s` LIMIT %d", value, label, bars)
	if byYear {
		ties := fmt.Sprintf("array_join(array_sort(collect_list(%s)), ', ')", dotted(keys[1:]))
		named = dotted([]string{keys[0], ties})
		rest = fmt.Sprintf("GROUP BY %s, %s ORDER BY `%s`", names[0], value, label)
	}
	return dataset{table.Name + "_for_chart", table.Title + ", for the chart", []string{
		fmt.Sprintf("SELECT %s AS `%s`, %s FROM %s %s", named, label, value, name(table.Name), rest),
	}}
}

// dotted returns the SQL of texts with a dot between them.
func dotted(texts []string) string { return "concat_ws(' · ', " + strings.Join(texts, ", ") + ")" }

// text returns the document as the API takes it.
func (d document) text() (string, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return "", err
	}
	return canonical(value)
}

// canonical returns JSON in one form for each value, with its names in order and a line for each.
func canonical(value any) (string, error) {
	body, err := json.MarshalIndent(value, "", "  ")
	return string(body) + "\n", err
}
