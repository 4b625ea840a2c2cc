package watch

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/internal/size"
)

// The drawings are in units of the SVG's view box.
const (
	chartWide, chartHigh = 720.0, 160.0
	sparkWide, sparkHigh = 120.0, 24.0
	barWide              = 160.0
)

// pageData is what the page shows, all of it as text.
type pageData struct {
	Root, At, Summary, MaxAge    string
	Rows                         []pageRow
	Growth, From, Until, Largest string
	Wide, High                   float64
	SparkWide, SparkHigh         float64
	BarWide, Limit               float64 // Limit is where MaxAge is on a bar; 0 without one
	Fleet                        bool    // all of it is off the hosts
}

type pageRow struct {
	Address, Gateway, State, Newest, Size, Verified, Drilled, OffHost, Reason, Backups string
	Bar                                                                                float64
	Spark                                                                              string
}

func (r Report) page() pageData {
	t := r.Totals
	rows := slices.Concat(r.Sandboxes, r.Gateways)
	d := pageData{
		Root: r.Root, At: r.At.Format("2006-01-02 15:04 UTC"), MaxAge: r.MaxAge,
		Summary: fmt.Sprintf("%s, %d of them with a backup that is as it should be; %s, %s in all, of which the last 7 days added %s%s",
			size.Count(t.Sandboxes, "sandbox", "sandboxes"), t.OK, size.Count(t.Backups, "backup", "backups"), size.Text(t.Bytes), size.Text(t.LastWeek), RetiredText(t.Retired)),
		Growth: line(r.Growth, r.At, chartWide, chartHigh), Wide: chartWide, High: chartHigh,
		SparkWide: sparkWide, SparkHigh: sparkHigh, BarWide: barWide, Fleet: r.Hosts > 0,
	}
	if n := len(r.Growth); n > 0 {
		d.From, d.Until, d.Largest = r.Growth[0].At.Format(time.DateOnly), r.At.Format(time.DateOnly), size.Text(r.Growth[n-1].Bytes)
	}
	scale := r.ageScale()
	if limit, err := time.ParseDuration(r.MaxAge); err == nil {
		d.Limit = barWide * limit.Seconds() / scale.Seconds()
	}
	for _, row := range rows {
		d.Rows = append(d.Rows, r.pageRow(row, scale))
	}
	return d
}

// ageScale is the age that fills a bar: that of the oldest newest backup, and at least one and a half times MaxAge.
func (r Report) ageScale() time.Duration {
	scale := 24 * time.Hour
	if limit, err := time.ParseDuration(r.MaxAge); err == nil {
		scale = limit * 3 / 2
	}
	for _, row := range slices.Concat(r.Sandboxes, r.Gateways) {
		if row.Newest != nil && row.State != Gone {
			scale = max(scale, r.At.Sub(row.Newest.Started))
		}
	}
	return scale
}

func (r Report) pageRow(row Row, scale time.Duration) pageRow {
	p := pageRow{
		Address: hostOf(row), Gateway: row.Gateway, State: string(row.State), Newest: "–", Size: "–", Verified: "never", Drilled: "never", OffHost: "never", Reason: row.Reason,
		Backups: fmt.Sprint(row.Backups), Spark: line(row.Growth, r.At, sparkWide, sparkHigh),
	}
	if b := row.Newest; b != nil {
		age := r.At.Sub(b.Started)
		p.Newest, p.Size = b.Started.Format("2006-01-02 15:04")+" ("+spoken(age)+" ago)", size.Text(b.Bytes)
		p.Bar = min(barWide, max(1, barWide*age.Seconds()/scale.Seconds()))
	}

	if b := row.Verified; b != nil {
		p.Verified = b.Verified.At.Format("2006-01-02 15:04")
	}
	if b := row.Drilled; b != nil {
		p.Drilled = fmt.Sprintf("%s, in %s", b.Drilled.At.Format("2006-01-02"), (time.Duration(b.Drilled.TookMs) * time.Millisecond).Round(time.Second/10))
	}
	if b := row.OffHost; b != nil {
		p.OffHost = b.Started.Format("2006-01-02 15:04")
	}
	return p
}

// spoken is an age in whole hours or days.
func spoken(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", max(0, int(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// line draws points as the path of steps from the first one to until: what is kept stays as it is between two backups.
// "" without points.
func line(points []Point, until time.Time, wide, high float64) string {
	if len(points) == 0 {
		return ""
	}
	first, most := points[0].At, max(1, points[len(points)-1].Bytes)
	span := max(1, until.Sub(first).Seconds())
	x := func(at time.Time) float64 { return min(wide, max(0, wide*at.Sub(first).Seconds()/span)) }
	y := func(bytes int64) float64 { return high - (high-2)*float64(bytes)/float64(most) }
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %.1f", high)
	for _, p := range points {
		fmt.Fprintf(&b, "H%.1fV%.1f", x(p.At), y(p.Bytes))
	}
	fmt.Fprintf(&b, "H%.1fV%.1fZ", wide, high)
	return b.String()
}
