package diagnose

import (
	"slices"
	"strings"
	"testing"
)

// A decode failure in an answer to a call of our own is a mismatch in whatever words; pasted, the same bare words may be anybody's.
func TestDecodeFailuresOfOurOwnCallsAreCertain(t *testing.T) {
	for _, text := range []string{
		"proto: cannot parse invalid wire-format data",
		"grpc: failed to unmarshal the received message",
		"invalid wire type value: 6",
		"failed to decode Protobuf message: buffer underflow",
		"failed to decode Protobuf message: delimited length exceeded",
		"Error:   × status: Internal, message: \"failed to decode Protobuf mes\n  │ sage: unexpected end group tag\"",
		"protobuf decode: invalid wire type",
		`{"stderr":"failed to decode Protobuf message: invalid tag value: 0"}`,
	} {
		d := Classify(text, StateCall)
		if d.Class != SchemaMismatch || d.Confidence != Certain || d.Decides != "" {
			t.Errorf("%q from a state call: got %s, %s, decides %q", text, d.Class, d.Confidence, d.Decides)
		}
		if d := Classify(text, Pasted); d.Confidence == Certain {
			t.Errorf("%q pasted: got %s certain, want less", text, d.Class)
		}
	}
}

func TestConfidenceFollowsTheWords(t *testing.T) {
	for _, c := range []struct {
		text       string
		class      Class
		confidence string
	}{
		{"Sandbox.metadata: SandboxResponse.sandbox: invalid wire type value: 6", SchemaMismatch, Certain},
		{"Error: No active gateway.", GatewayNotRegistered, Certain},
		{"Error: transport error", GatewayUnreachable, Likely},
		{"status: Unimplemented, message: \"\"", VersionSkew, Likely},
		{"sqlite3.OperationalError: database is locked", Unrelated, Unsure},
		{"[openclaw] startup migrations did not complete", Unrelated, Likely},
		{"openshell said something new", Unknown, Unsure},
		{`openshell: failed to open "/srv/invalid wire type/config.toml"`, Unknown, Unsure},
		{`openshell: failed to open "/srv/a": deserialize failed: protobuf`, SchemaMismatch, Likely},
		{`openshell sandbox list: proto: syntax error (line 1:1): unexpected token`, SchemaMismatch, Likely},
		{"", Unknown, Unsure},
		{"the quick brown fox", Unrelated, Unsure},
	} {
		d := Classify(c.text, Pasted)
		if d.Class != c.class || d.Confidence != c.confidence {
			t.Errorf("%q: got %s (%s), want %s (%s)", c.text, d.Class, d.Confidence, c.class, c.confidence)
		}
	}
}

// How a text travelled must not change what it says.
func TestTravelDoesNotChangeTheClass(t *testing.T) {
	plain := `Error: status: Internal, message: "failed to decode Protobuf message: Sandbox.metadata: SandboxResponse.sandbox: invalid wire type value: 6"`
	travels := map[string]func(string) string{
		"wrapped anywhere":    func(s string) string { return wrapped(s, 17, "\n  │ ") },
		"wrapped in ASCII":    func(s string) string { return wrapped(s, 31, "\n  | ") },
		"flattened":           func(s string) string { return wrapped(s, 23, "│ ") },
		"terminal":            func(s string) string { return wrapped(s, 40, "\n") },
		"coloured":            func(s string) string { return strings.ReplaceAll(s, "status", "\x1b[1;31mstatus\x1b[0m") },
		"no-break spaces":     func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
		"JSON":                func(s string) string { return strings.ReplaceAll(s, `"`, `\"`) },
		"JSON twice":          func(s string) string { return strings.ReplaceAll(s, `"`, `\\\"`) },
		"HTML":                func(s string) string { return strings.ReplaceAll(s, `"`, `&quot;`) },
		"journald":            func(s string) string { return "May 12 10:15:01 host nemoclaw[3121]: " + s },
		"kubernetes":          func(s string) string { return "2026-05-12T10:15:01.123456789Z stderr F " + s },
		"quoted by a program": func(s string) string { return "Command failed with exit code 1 (stderr: " + s + ")" },
		"in a long log": func(s string) string {
			noise := strings.Repeat("2026-05-12 INFO heartbeat ok\n2026-05-12 WARN transport error, will retry\n", 50)
			return noise + s + "\n" + noise
		},
	}
	for name, travel := range travels {
		if d := Classify(travel(plain), Pasted); d.Class != SchemaMismatch {
			t.Errorf("%s: got %s, want %s:\n%.300s", name, d.Class, SchemaMismatch, travel(plain))
		}
	}
}

func wrapped(text string, width int, mark string) string {
	var out strings.Builder
	for i, r := range text {
		if i > 0 && i%width == 0 {
			out.WriteString(mark)
		}
		out.WriteRune(r)
	}
	return out.String()
}

var everyClass = []Class{
	SchemaMismatch, SchemaMismatchSupervisor, VersionSkew, MigrationIncompatibleDB, DBLocked, GatewayUnreachable, GatewayNotRegistered,
	GatewayStartFailed, WrongEndpoint, TLSTrust, TLSClientCert, Auth, SandboxAuth, SandboxUnreachable, SandboxNotFound, SandboxNotReady,
	BackupContentError, LockContention, Unrelated, Unknown,
}

func TestEveryClassIsExplained(t *testing.T) {
	nothing := explain("no such class", Unsure).Explanation
	for _, class := range everyClass {
		d := explain(class, Likely)
		if len(d.Actions) == 0 || d.Decides == "" || d.Explanation == "" {
			t.Errorf("%s: explanation, actions or what decides is missing: %+v", class, d)
		}
		if class != Unknown && d.Explanation == nothing {
			t.Errorf("%s has no explanation of its own", class)
		}
		for _, action := range d.Actions {
			if program := strings.Fields(action)[0]; !slices.Contains([]string{"sandkeeper", "openshell", "openshell-gateway"}, program) {
				t.Errorf("%s: action %q is not a command that is everywhere", class, action)
			}
		}
		said := strings.ToLower(d.Explanation + strings.Join(d.Actions, "\n") + d.Decides)
		for _, never := range []string{"delete", "remove the database", "rm ", "drop the", "is not running", "destroy"} {
			if strings.Contains(said, never) {
				t.Errorf("%s says %q: %s", class, never, said)
			}
		}
	}
}

// Each note is reached, says something, and a sandbox whose data would be lost by a delete is saved first.
func TestEveryNoteIsReached(t *testing.T) {
	reached := map[note]bool{plain: true}
	for _, s := range everySample(t) {
		read := readText(s.Text)
		if i := slices.IndexFunc(rules(), func(r rule) bool { return r.matches(read) }); i >= 0 {
			reached[rules()[i].note] = true
		}
	}
	for n := plain; n <= engineTrouble; n++ {
		words, first := n.text()
		if !reached[n] || (words == "") != (n == plain) {
			t.Errorf("note %d: reached %v, says %q", n, reached[n], words)
		}
		if keeps := strings.Contains(words, "delete"); keeps && (first != saveAll || !strings.Contains(words, keepData)) {
			t.Errorf("note %d speaks of deleting: %q, first %q", n, words, first)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, seed := range []string{
		"", "Error:   × status: Internal, message: \"failed to decode Protobuf mes\n  │ sage\"", `\\\"\u001b[31m`, "\x00\xff\x1b]0;", "│││├─▶",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := Classify(text, Pasted)
		if !slices.Contains(everyClass, d.Class) || d.Explanation == "" || d.Actions == nil {
			t.Errorf("%q: %+v", text, d)
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	log := strings.Repeat("2026-05-12 INFO heartbeat ok\n", 200) + "Error: transport error"
	for b.Loop() {
		Classify(log, Pasted)
	}
}

// Wordings of the libraries around OpenShell (clap, sqlx, tonic, grpc-go, crypto/tls), and the same words where they are somebody else's.
func TestWordingsOfLibraries(t *testing.T) {
	for text, want := range map[string]Class{
		"error: unrecognized subcommand 'stop'\n\nUsage: openshell sandbox [OPTIONS] <COMMAND>":                                      VersionSkew,
		"error: unexpected argument '--foo' found\n\nUsage: rg [OPTIONS] PATTERN [PATH ...]":                                         Unrelated,
		"migration 5 is partially applied; fix and remove row from `_sqlx_migrations` table":                                         MigrationIncompatibleDB,
		"openshell-gateway: migration 20260601120000 is not present in the migration source":                                         MigrationIncompatibleDB,
		"django: migration 0005 is partially applied; fix and remove row":                                                            Unrelated,
		"connection error: desc = \"transport: Error while dialing: dial tcp 127.0.0.1:17670: connect: connection refused\"":         GatewayUnreachable,
		"context deadline exceeded, dial tcp 127.0.0.1:2379: connect: connection refused":                                            Unrelated,
		"code: 'Deadline expired before operation could complete', message: \"Timeout expired\"":                                     GatewayUnreachable,
		"code: 'The operation was cancelled', message: \"Timeout expired\"":                                                          GatewayUnreachable,
		"openshell: error reading server preface: http2: frame too large, note that the frame header looked like an HTTP/1.1 header": WrongEndpoint,
		"openshell: tls: first record does not look like a TLS handshake":                                                            WrongEndpoint,
		"docker push: http: server gave HTTP response to HTTPS client":                                                               Unrelated,
		"openshell: x509: certificate is valid for localhost, not host.openshell.internal":                                           TLSTrust,
		"kubectl: x509: certificate is valid for 10.96.0.1, not 127.0.0.1":                                                           Unrelated,
	} {
		if got := Classify(text, Pasted); got.Class != want {
			t.Errorf("%q: got %s, want %s", text, got.Class, want)
		}
	}
}
