// Command picture draws terminals. `make picture` runs the demo in colour and hands its output over on standard input: that becomes
// docs/demo-light.svg and docs/demo-dark.svg, for the top of the README. `picture COLUMNS FILE SCREEN...` draws screens that
// test/minutes/record has captured, one below the other, as FILE.
package main

import (
	"fmt"
	"html"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

func main() {
	work := demoPicture
	if len(os.Args) > 3 {
		work = func() error { return screens(os.Args[1], os.Args[2], os.Args[3:]) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func demoPicture() error {
	printed, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	lines, err := scene(string(printed))
	if err != nil {
		return err
	}
	for _, t := range themes() {
		d := drawing{theme: t, columns: columns, title: "sandkeeper backup-all refuses to trust a gateway whose binary was replaced under the running process"}
		if err := os.WriteFile("docs/demo-"+t.name+".svg", []byte(d.draw(lines)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// screens draws captured screens as they stood there; the empty end of each is left out.
func screens(width, file string, captured []string) error {
	columns, err := strconv.Atoi(width)
	if err != nil {
		return err
	}
	var lines []string
	for _, name := range captured {
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		shown := strings.Split(strings.TrimRight(string(content), " \n"), "\n")
		if last := len(shown) - 1; colourCode().ReplaceAllString(strings.TrimSpace(shown[last]), "") == "#" {
			shown = shown[:last] // the prompt that waits for the next command
		}
		lines = append(append(lines, shown...), "")
	}
	d := drawing{theme: themes()[1], columns: columns, title: "the first ten minutes with sandkeeper, in a terminal of " + width + " columns"}
	return os.WriteFile(file, []byte(d.draw(lines)), 0o600)
}

// The scene begins where the installer has been, and ends before the way out; the moment that sandkeeper is for.
const (
	sceneBegin = "── The next day"
	sceneEnd   = "── The first step"
	columns    = 120
)

// scene is the part of the demo's output that is drawn, in lines of at most columns characters.
func scene(printed string) ([]string, error) {
	_, rest, begun := strings.Cut(printed, sceneBegin)
	part, _, ended := strings.Cut(rest, sceneEnd)
	if !begun || !ended {
		return nil, fmt.Errorf("this is not what the demo prints with a container engine: %q or %q is missing", sceneBegin, sceneEnd)
	}
	part = regexp.MustCompile(`/tmp/sandkeeper-demo-\d+`).ReplaceAllString(sceneBegin+part, "~")
	part = regexp.MustCompile(` --only \S+`).ReplaceAllString(part, "") // which the demo adds beside other people's sandboxes
	var lines []string
	for line := range strings.Lines(part) {
		lines = append(lines, wrapped(strings.TrimRight(line, "\n"))...)
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines, nil
}

// wrapped breaks a long line at spaces; what follows is indented as its text is. Colour codes have no width.
func wrapped(line string) []string {
	indent := regexp.MustCompile(`^ *(?:\d\. )?`).FindString(line)
	var lines []string
	for width(line) > columns {
		at := 0
		for i := range line {
			if line[i] == ' ' && width(line[:i]) <= columns {
				at = i
			}
		}

		if strings.TrimSpace(line[:at]) == "" {
			break
		}
		lines, line = append(lines, line[:at]), strings.Repeat(" ", len(indent))+line[at+1:]
	}
	return append(lines, line)
}

func colourCode() *regexp.Regexp { return regexp.MustCompile(`\x1b\[([\d;]*)m`) }

func width(line string) int { return len([]rune(colourCode().ReplaceAllString(line, ""))) }

type theme struct{ name, back, text, faint, red, green, yellow, cyan string }

func themes() []theme {
	return []theme{
		{"light", "#ffffff", "#1f2328", "#59636e", "#cf222e", "#1a7f37", "#9a6700", "#0969da"},
		{"dark", "#0d1117", "#e6edf3", "#9198a1", "#ff7b72", "#3fb950", "#d29922", "#79c0ff"},
	}
}

const (
	lineHeight = 20
	charWidth  = 843 // hundredths of a pixel, of a monospaced face at 14 pixels
	margin     = 20
)

// drawing is how a terminal is drawn.
type drawing struct {
	theme
	columns int
	title   string
}

// draw is the SVG of lines.
func (d drawing) draw(lines []string) string {
	t := d.theme
	var b strings.Builder
	w, h := d.columns*charWidth/100+2*margin, len(lines)*lineHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(d.title))
	fmt.Fprintf(&b, "<style>text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:%s;white-space:pre}.f{fill:%s}.c31{fill:%s}.c32{fill:%s}.c33{fill:%s}.c36{fill:%s}.b{font-weight:bold}</style>\n",
		t.text, t.faint, t.red, t.green, t.yellow, t.cyan)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="%s" stroke="%s"/>`+"\n", w, h, t.back, t.faint)
	story := false
	for i, line := range lines {
		story = strings.HasPrefix(line, "── ") || story && line != ""
		class := ""
		switch {
		case story:
			class = ` class="f"`
		case strings.HasPrefix(line, "$ "), strings.HasPrefix(line, "# "):
			class = ` class="b"`
		}

		fmt.Fprintf(&b, `<text x="%d" y="%d" xml:space="preserve"%s>%s</text>`+"\n", margin, margin+15+i*lineHeight, class, spans(line))
	}

	b.WriteString("</svg>\n")
	return b.String()
}

// spans turns colour codes into spans.
func spans(line string) string {
	var b strings.Builder
	open, from := false, 0
	for _, m := range colourCode().FindAllStringSubmatchIndex(line, -1) {
		b.WriteString(html.EscapeString(line[from:m[0]]))
		from = m[1]
		if open {
			b.WriteString("</tspan>")
			open = false
		}
		if code := line[m[2]:m[3]]; code != "" && code != "0" && code[0] == '3' {
			fmt.Fprintf(&b, `<tspan class="c%s">`, code)
			open = true
		}
	}

	b.WriteString(html.EscapeString(line[from:]))
	if open {
		b.WriteString("</tspan>")
	}
	return b.String()
}
