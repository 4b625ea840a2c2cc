package watch

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"strings"
)

//go:embed page.css
var pageStyle string

// page writes HTML. There is no template engine behind it, for one calls methods by their names, so that the linker has
// to keep every method of every library: 10 MB of this program.
type page struct{ strings.Builder }

// put writes HTML with values in it, each as text, whatever it holds.
func (p *page) put(form string, values ...any) {
	for i, v := range values {
		if text, is := v.(string); is {
			values[i] = html.EscapeString(text)
		}
	}
	fmt.Fprintf(p, form, values...)
}

// Page writes the report as one HTML file that needs nothing else: no script, no font, no other file. Growth and ages
// are drawn as SVG.
func (r Report) Page(w io.Writer) error {
	d, p := r.page(), &page{}
	p.put("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"+
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Backups of sandboxes, %s</title>\n", d.At)
	p.WriteString("<style>\n" + pageStyle + "</style>\n</head>\n<body>\n")
	p.put("<h1>Backups of sandboxes</h1>\n<p>%s – %s. Stored in %s.</p>\n", d.At, d.Summary, d.Root)
	p.ages(d)
	if !d.Fleet {
		p.growth(d)
	}
	p.put("</body>\n</html>\n")
	_, err := io.WriteString(w, p.String())
	return err
}

// offHostTitle is that of a column that the page of a fleet does not need: all of it is off the hosts.
const offHostTitle = "Off the host"

// ages is the table of the sandboxes.
func (p *page) ages(d pageData) {
	p.put("\n<h2>Ages</h2>\n<div class=\"wide\" role=\"region\" aria-label=\"Ages\" tabindex=\"0\">\n<table>\n<caption>The bar is the age of the newest backup")
	if d.MaxAge != "" {
		p.put("; the red line is the age that is allowed, %s", d.MaxAge)
	}
	p.put(".</caption>\n<thead><tr>")
	for _, title := range []string{"State", "Sandbox", "Gateway", "Newest", "Size", "Read back", "Drilled", offHostTitle, "Backups", "Growth"} {
		if title != offHostTitle || !d.Fleet {
			p.put("<th>%s</th>", title)
		}
	}
	p.put("</tr></thead>\n<tbody>\n")
	for _, row := range d.Rows {
		p.row(d, row)
	}
	p.put("</tbody>\n</table>\n</div>\n")
}

func (p *page) row(d pageData, row pageRow) {
	p.put("<tr>\n<td class=\"state %s\">%s</td><td>%s</td><td>%s</td>\n", row.State, row.State, row.Address, row.Gateway)
	p.put("<td><svg width=\"%g\" height=\"14\" role=\"img\" aria-label=\"%s\"><rect class=\"bar\" y=\"2\" height=\"10\" width=\"%.1f\"/>", d.BarWide, row.Newest, row.Bar)
	if d.Limit != 0 {
		p.put("<line class=\"limit\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"14\"/>", d.Limit, d.Limit)
	}
	p.put("</svg>%s</td>\n", row.Newest)
	cells := []string{row.Size, row.Verified, row.Drilled, row.OffHost, row.Backups}
	if d.Fleet {
		cells = []string{row.Size, row.Verified, row.Drilled, row.Backups}
	}
	for _, cell := range cells {
		p.put("<td>%s</td>", cell)
	}
	p.put("\n<td><svg width=\"%g\" height=\"%g\" role=\"img\" aria-label=\"growth of %s\"><path class=\"area\" d=\"%s\"/></svg></td>\n</tr>\n",
		d.SparkWide, d.SparkHigh, row.Address, row.Spark)
	if row.Reason != "" {
		p.put("<tr><td></td><td class=\"reason\" colspan=\"%d\">%s</td></tr>\n", len(cells)+4, row.Reason)
	}
}

// growth draws how many bytes were kept, and when.
func (p *page) growth(d pageData) {
	p.put("\n<h2>Growth</h2>\n")
	if d.Growth == "" {
		p.put("<p>No backups yet.</p>\n")
		return
	}
	p.put("<div class=\"wide\" role=\"region\" aria-label=\"Growth\" tabindex=\"0\">\n<svg class=\"growth\" viewBox=\"0 -4 %g 184\" role=\"img\" aria-label=\"bytes kept from %s to %s, %s in the end\">\n", d.Wide, d.From, d.Until, d.Largest)
	p.put("<rect class=\"frame\" width=\"%g\" height=\"%g\"/><path class=\"area\" d=\"%s\"/>\n", d.Wide, d.High, d.Growth)
	p.put("<text x=\"4\" y=\"14\" fill=\"currentColor\" font-size=\"12\">%s</text>\n", d.Largest)
	p.put("<text x=\"0\" y=\"176\" fill=\"currentColor\" font-size=\"12\">%s</text>\n", d.From)
	p.put("<text x=\"%g\" y=\"176\" fill=\"currentColor\" font-size=\"12\" text-anchor=\"end\">%s</text>\n</svg>\n</div>\n", d.Wide, d.Until)
}
