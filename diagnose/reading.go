package diagnose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"sandkeeper/internal/pattern"
	"sandkeeper/internal/text"
	"sandkeeper/openshell"
)

// reading is a text prepared for the rules: lower case, no spaces, no escapes, no gutters, so that neither wrapping nor
// the way the text travelled (a log, JSON, a browser) can hide a phrase.
type reading struct {
	lines   []string // one message each, as far as that can be told
	whole   string   // all of it
	ours    bool     // it names OpenShell or NemoClaw, or one of their objects, or stands in the frame of their errors
	foreign bool     // it names a product that is known to speak alike
}

// readLimit is how much distinct text is judged; no error report that means one thing is longer.
const readLimit = 256 << 10

func readText(written string) reading {
	written = reasons().ReplaceAllString(openshell.WithoutFileNames(unescape(written)), "condition $0")
	r := reading{foreign: logsOfDaemons(written) || othersGateway(written) || capitalised().MatchString(written)}
	seen := map[string]bool{}
	var whole strings.Builder
	for line := range strings.Lines(text.Normalise(unprefix(written))) {
		line = squeeze(line)
		// A log says the same thing again and again; only its times and numbers differ.
		key := strings.Map(withoutDigits, line)
		if seen[key] {
			continue
		}
		seen[key] = true
		line = line[:min(len(line), readLimit-whole.Len())]
		r.lines = append(r.lines, line)
		whole.WriteString(line)
	}

	r.whole = whole.String()
	r.ours = framed().MatchString(written) || names().MatchString(r.whole)
	r.foreign = r.foreign || slices.ContainsFunc(r.lines, alike().MatchString) || !r.ours && languages().MatchString(r.whole) ||
		logsOfOthers(logTarget(), r.whole) || logsOfOthers(logCrate(), written)
	return r
}

// logsOfOthers reports a line that a Rust program which is not OpenShell's, and no library of its, has logged:
// "WARN mollysocket::ws: …".
func logsOfOthers(target *regexp.Regexp, text string) bool {
	for _, m := range target.FindAllStringSubmatch(text, -1) {
		if !ourCrates().MatchString(m[1]) {
			return true
		}
	}
	return false
}

// logsOfDaemons reports a line of the system's log that another program than ours, or a program that runs ours, has
// written: "Jul 04 08:03:56 host openobserve[415617]: …".
func logsOfDaemons(text string) bool {
	for _, m := range logProgram().FindAllStringSubmatch(text, -1) {
		if !carriers().MatchString(m[1]) {
			return true
		}
	}
	return false
}

// othersGateway reports a sentence about the end of a gateway of another product: "kong-gateway failed to start".
func othersGateway(text string) bool {
	for _, m := range endedGateway().FindAllStringSubmatch(text, -1) {
		if !ourGateway().MatchString(m[1]) {
			return true
		}
	}
	return false
}

func withoutDigits(r rune) rune {
	if unicode.IsDigit(r) {
		return -1
	}
	return r
}

func (r reading) empty() bool { return r.whole == "" }

var (
	escapedQuote = pattern.Of(`\\+(["'/])`)
	escapedBreak = pattern.Of(`\\+r\\+n|\\+n`)
	escapedSpace = pattern.Of(`\\+t|\\+u00a0|\\+u202f`)
	escapedESC   = pattern.Of(`\\+(?:u001[bB]|x1[bB]|033|e)(\[[0-9;]*[A-Za-z])`)
	logTarget    = pattern.Of(`(?:trace|debug|info|warn|error)\]?([a-z_][a-z0-9_]*)::[a-z_]`)
	logCrate     = pattern.Of(`\b(?:TRACE|DEBUG|INFO|WARN|ERROR)\]?\s+([a-z][a-z0-9]*_[a-z0-9_]+): `)
	endedGateway = pattern.Of(`(?i)\b([a-z0-9_]+)[- ]gateway(?:\.service)?(?::| failed| exited| crashed| could not| cannot| did not)`)
	ourGateway   = pattern.Of(`(?i)^(?:openshell|nemoclaw|driver|the|a|this|your|local|container|new|old|that|and|nvidia)$`)
	ourCrates    = pattern.Of(`^(?:openshell|nemoclaw|tonic|prost|hyper|h2|http|rustls|tokio|tower|reqwest|sqlx|axum|bollard|russh|miette|anyhow|std|core|alloc)`)
	logProgram   = pattern.Of(`(?m)^(?:\w{3} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT\S+) \S+ ([\w.-]+)\[\d+\]: `)
	carriers     = pattern.Of(`(?i)^(?:openshell|nemoclaw|sandkeeper|systemd|cron|anacron|sh$|bash|zsh|sudo|su$|python|node|npm|job|docker|podman|conmon|` +
		`compose|ansible|snap|launchd|user|root|backup|upgrade|install|nohup|screen|tmux|ssh|logger|kaiden|openclaw)`)
	// reasons are words of OpenShell's that many say as two ("container exited"): squeezed, they could not be told
	// apart.
	reasons = pattern.Of(`\b(?:Container(?:Exited|Dead|Stopped)|MainProcessExited|ProcessExited|GatewayUnreachable)\b`)
	// framed is how OpenShell's programs print what ended them (miette): a sentence behind a cross on the same line, or
	// without a terminal the words "Diagnostic severity" below it.
	framed = pattern.Of(`Error:[ \t]+×|\n\s+Diagnostic severity: `)
	// prost's sentence begins with a small letter; with a capital one it is somebody else's.
	capitalised = pattern.Of(`\bFailed to decode Protobuf`)
	escapedBox  = pattern.Of(`\\+u(25[0-9a-fA-F]{2}|00[dD]7)`)
	percent     = pattern.Of(`%[2-7][0-9A-Fa-f]`)
	htmlQuote   = pattern.Of(`&(?:quot|#34|#39|apos|nbsp|gt|lt|amp);`)
)

var (
	// quoted is a citation in a mail or an issue.
	quoted = pattern.Of(`(?m)^[ \t]*(?:> ?)+`)
	// carried is what a log, a pod or compose puts before a line that continues the one before it ("│", "╰─▶").
	carried = pattern.Of(`(?m)^(?:\w{3} [ \d]\d [\d:]{8} \S+ \S+: |[\w.-]+ +\| |\[[^\]\n]{5,40}\] |` +
		`\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?(?: (?:stdout|stderr) [FP])?(?: \S+ \S+\[\d+\]:)? )[ \t\r]*([│|├╰])`)
)

// unprefix lets quoted lines begin at their beginning, and continuing ones with their mark.
func unprefix(text string) string {
	return carried().ReplaceAllString(quoted().ReplaceAllString(text, ""), "  $1")
}

// unescape undoes JSON and HTML escapes, however often they were applied, in the texts that show signs of them.
func unescape(text string) string {
	if strings.Contains(text, `\`) {
		text = escapedESC().ReplaceAllString(text, "")
		text = escapedQuote().ReplaceAllString(text, "$1")
		text = escapedBreak().ReplaceAllString(text, "\n")
		text = escapedSpace().ReplaceAllString(text, " ")
		text = escapedBox().ReplaceAllStringFunc(text, func(escaped string) string {
			point, _ := strconv.ParseUint(escaped[len(escaped)-4:], 16, 32)
			return string(rune(point))
		})
	}
	if strings.Contains(text, "%20") { // gRPC's own escapes, of a status as it goes over the wire
		text = percent().ReplaceAllStringFunc(text, func(escaped string) string {
			char, _ := strconv.ParseUint(escaped[1:], 16, 8)
			return string(rune(char))
		})
	}
	return htmlQuote().ReplaceAllStringFunc(text, func(entity string) string {
		switch entity {
		case "&quot;", "&#34;":
			return `"`
		case "&#39;", "&apos;":
			return "'"
		case "&gt;":
			return ">"
		case "&lt;":
			return "<"
		case "&amp;":
			return "&"
		}
		return " "
	})
}

// squeeze also drops the emphasis of chat and issue texts ("**", "`") and makes curly quotes plain.
func squeeze(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), strings.ContainsRune("*`│|├╰─▶×", r):
			return -1
		case r == '‘' || r == '’':
			return '\''
		case r == '“' || r == '”':
			return '"'
		}
		return unicode.ToLower(r)
	}, text)
}

var (
	names     = sync.OnceValue(func() *regexp.Regexp { return compiled(ourWords) })
	alike     = sync.OnceValue(func() *regexp.Regexp { return compiled(foreignWords) })
	languages = sync.OnceValue(func() *regexp.Regexp { return compiled(languageWords) })
)
