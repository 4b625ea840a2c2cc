package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// decoded reads a record of a shelf as a file holds it.
func decoded[E any](s Shelf[E], key, text string) error {
	_, err := s.decode(key, []byte(text))
	return err
}

func TestRecordsAskOnlyForWhatARunWouldHaveAsked(t *testing.T) {
	sandbox, gateway := Key("gw", "alpha"), Key("gw", "")
	container := `"container":"` + keyA + `","host":"unix:///x"`
	exec := func(rest string) string { return `{"sandbox":"alpha","gateway":"gw","home":"/sandbox",` + rest + `}` }
	state := func(rest string) string { return `{"gateway":"gw","backup":"20261121T101500Z-1f3a",` + rest + `}` }
	for name, tt := range map[string]struct {
		err  error
		want string // in the error; "" is none
	}{
		"pause":                       {decoded(Pauses("/s"), keyA, `{`+container+`}`), ""},
		"pause, address with a space": {decoded(Pauses("/s"), keyA, `{"container":"`+keyA+`","host":"unix:///my docker.sock"}`), ""},
		"pause of another container":  {decoded(Pauses("/s"), keyB, `{`+container+`}`), "another container"},
		"pause without engine":        {decoded(Pauses("/s"), keyA, `{"container":"`+keyA+`"}`), "engine"},
		"pause, two lines":            {decoded(Pauses("/s"), keyA, `{"container":"`+keyA+`","host":"unix:///x\nevil"}`), "engine"},
		"restore":                     {decoded(Restores("/r"), keyA, `{`+container+`,"root":"/b","copy":"/b/.before-restore-a-1.tar.zst"}`), ""},
		"restore of another":          {decoded(Restores("/r"), keyB, `{`+container+`}`), "another container"},
		"copy outside of the store":   {decoded(Restores("/r"), keyA, `{`+container+`,"root":"/b","copy":"/etc/.before-restore-a-1.tar.zst"}`), "no restore made"},
		"copy below the store":        {decoded(Restores("/r"), keyA, `{`+container+`,"root":"/b","copy":"/b/../etc/.before-restore-a-1.tar.zst"}`), "no restore made"},
		"copy that is a backup":       {decoded(Restores("/r"), keyA, `{`+container+`,"root":"/b","copy":"/b/manifest.json"}`), "no restore made"},
		"exec restore":                {decoded(ExecRestores("/r"), sandbox, exec(`"stage":"/sandbox/.sandkeeper-restore-x","step":"swapping","names":[".openclaw/agents"]`)), ""},
		"exec restore of another":     {decoded(ExecRestores("/r"), gateway, exec(`"stage":"/sandbox/.sandkeeper-restore-x","step":"swapping"`)), "another sandbox"},
		"stage outside":               {decoded(ExecRestores("/r"), sandbox, exec(`"stage":"/etc/.sandkeeper-restore-x","step":"swapping"`)), "no restore made"},
		"stage that is no stage":      {decoded(ExecRestores("/r"), sandbox, exec(`"stage":"/sandbox/work","step":"swapping"`)), "no restore made"},
		"unknown step":                {decoded(ExecRestores("/r"), sandbox, exec(`"stage":"/sandbox/.sandkeeper-restore-x","step":"x"`)), "unknown step"},
		"name outside":                {decoded(ExecRestores("/r"), sandbox, exec(`"stage":"/sandbox/.sandkeeper-restore-x","step":"swapping","names":["../etc"]`)), "no name"},
		"carried name outside":        {decoded(ExecRestores("/r"), sandbox, exec(`"stage":"/sandbox/.sandkeeper-restore-x","step":"swapping","carry":["/etc"]`)), "no name"},
		"state":                       {decoded(StateRestores("/r"), gateway, state(`"files":["/g/openshell.db"],"had":["/g/openshell.db-wal"]`)), ""},
		"state of another":            {decoded(StateRestores("/r"), sandbox, state(`"files":[]`)), "another gateway"},
		"relative place":              {decoded(StateRestores("/r"), gateway, state(`"files":["g/openshell.db"]`)), "no place"},
		"winding place":               {decoded(StateRestores("/r"), gateway, state(`"files":["/g/../etc/x"]`)), "no place"},
		"file of nobody":              {decoded(StateRestores("/r"), gateway, state(`"files":["/g/a"],"had":["/etc/passwd"]`)), "none of its files"},
		"backup that is a path":       {decoded(StateRestores("/r"), gateway, `{"gateway":"gw","backup":"../x"}`), "no backup's id"},
	} {
		if tt.want == "" != (tt.err == nil) || tt.err != nil && !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, tt.err, tt.want)
		}
	}
}

func TestAContainerIsItsEnginesOwn(t *testing.T) {
	made := time.Date(2026, 11, 21, 10, 15, 0, 123, time.UTC)
	p := Pause{Container: keyA, Created: made, Engine: "docker X /var/lib/docker", Host: "unix:///x"}
	if err := p.OnEngine(p.Engine); err != nil {
		t.Error(err)
	}
	if err := p.OnEngine("docker Y /var/lib/docker"); err == nil {
		t.Error("another engine behind the same address was taken for it")
	}
	if err := p.IsContainer(made.Truncate(time.Second)); err != nil {
		t.Error(err)
	}
	if err := p.IsContainer(made.Add(time.Hour)); err == nil {
		t.Error("a container that was made at another time was taken for it")
	}
	old := Pause{Container: keyA, Host: "unix:///x"} // as versions before wrote it
	if err := old.OnEngine("docker X"); err != nil {
		t.Error(err)
	}
	if err := old.IsContainer(made); err != nil {
		t.Error(err)
	}
}

// What an earlier version has left: a pause is taken back, a restore is named.
func TestRecordsOfEarlierVersions(t *testing.T) {
	state := t.TempDir()
	old := `{"container":"` + keyA + `","name":"n","host":"unix:///x","pid":7,"started":8,"at":"2026-11-21T10:15:00Z"}`
	for _, dir := range []string{Pauses(PausedDir(state)).Dir(), RestoringDir(state)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, keyA+".json"), []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var pauses, restores, named int
	for r, err := range Pauses(PausedDir(state)).Abandoned() {
		if err == nil && r.Value.Name == "n" {
			pauses++
		}
	}
	for _, err := range Restores(RestoringDir(state)).Abandoned() {
		restores++
		if err != nil && strings.Contains(err.Error(), "earlier version") {
			named++
		}
	}
	if pauses != 1 || restores != 1 || named != 1 {
		t.Errorf("%d pauses taken, %d restores seen, %d named", pauses, restores, named)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add(keyA, []byte(`{"container":"`+keyA+`","host":"unix:///x","root":"/r","copy":"/r/.before-restore-a-1.tar.zst","writing":true}`))
	f.Add(keyA, []byte(`{"copy":"/etc/passwd"}`))
	f.Add(Key("gw", "alpha"), []byte(`{"sandbox":"alpha","gateway":"gw","home":"/","stage":"/etc","step":"staging"}`))
	f.Add(Key("gw", "alpha"), []byte(`{"sandbox":"alpha","gateway":"gw","home":"/sandbox","stage":"/sandbox/.sandkeeper-restore-x","step":"confirmed","carry":["../../etc"]}`))
	f.Add(Key("gw", ""), []byte(`{"gateway":"gw","backup":"20261121T101500Z-1f3a","files":["/a"],"had":["/etc/passwd"]}`))
	f.Fuzz(func(t *testing.T, key string, text []byte) {
		if p, err := Pauses("/s").decode(key, text); err == nil && (p.Container != key || p.Host == "" || strings.ContainsAny(p.Host, "\n\r\x00")) {
			t.Errorf("%q was read as %+v", text, p)
		}
		if r, err := Restores("/s").decode(key, text); err == nil && r.Copy != "" && filepath.Dir(r.Copy) != r.Root {
			t.Errorf("%q was read as %+v", text, r)
		}
		if e, err := ExecRestores("/s").decode(key, text); err == nil {
			for _, name := range append(e.Names, e.Carry...) {
				if !filepath.IsLocal(name) || !strings.HasPrefix(e.Stage, strings.TrimSuffix(e.Home, "/")+"/"+StagePrefix) {
					t.Errorf("%q was read as %+v", text, e)
				}
			}
		}
		if r, err := StateRestores("/s").decode(key, text); err == nil {
			for _, path := range append(r.Files, r.Had...) {
				if !filepath.IsAbs(path) || strings.Contains(r.Backup, "/") {
					t.Errorf("%q was read as %+v", text, r)
				}
			}
		}
	})
}
