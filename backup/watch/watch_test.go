package watch

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/storetest"
	"sandkeeper/sandbox"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// host is a store whose clock can be set, and what is on the host.
type host struct {
	t     *testing.T
	store *store.Store
	clock time.Time
	boxes []sandbox.Sandbox
}

func newHost(t *testing.T) *host {
	h := &host{t: t}
	h.store = storetest.NewStore(t, store.Options{Now: func() time.Time { return h.clock }})
	return h
}

func (h *host) sandbox(gateway, name string) {
	h.boxes = append(h.boxes, sandbox.Sandbox{Gateway: gateway, Workspace: sandbox.DefaultWorkspace, Name: name, Standing: sandbox.Ready})
}

// backup makes one that is so old, with that content, verified or not.
func (h *host) backup(gateway, name string, age time.Duration, content string, verified bool) store.Backup {
	h.t.Helper()
	h.clock = now.Add(-age)
	lock, err := h.store.Lock("test")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	made := storetest.LeastBackup(name)
	made.Manifest.Gateway, made.Manifest.Started = gateway, h.clock
	b, err := h.store.Create(h.t.Context(), made, func(_ context.Context, a *archive.Archive) error {
		return a.Add(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(content))}, strings.NewReader(content))
	})
	if err == nil && verified {
		err = h.store.MarkVerified(b, true)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *host) look(maxAge time.Duration, complete bool) Report {
	h.t.Helper()
	r, err := Look(Question{Store: h.store, Inventory: sandbox.Inventory{Sandboxes: h.boxes}, Complete: complete, MaxAge: maxAge, Now: now})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func states(r Report) string {
	var said []string
	for _, row := range r.Sandboxes {
		said = append(said, fmt.Sprintf("%s=%s", row.Address(), row.State))
	}
	return strings.Join(said, " ")
}

// The most urgent comes first, and only a verified backup that is young enough is one.
func TestStates(t *testing.T) {
	h := newHost(t)
	for _, name := range []string{"fresh", "unread", "stale", "later", "bare", "torn", "future"} {
		h.sandbox("g", name)
	}
	h.backup("g", "fresh", time.Hour, "a", true)
	h.backup("g", "unread", time.Hour, "a", false)
	h.backup("g", "stale", 30*time.Hour, "a", true)
	h.backup("g", "later", 20*time.Hour, "a", true)
	h.backup("g", "later", time.Hour, "b", false) // the newest is unread, an older one is young enough
	h.backup("g", "future", -time.Hour, "a", true)
	torn := h.backup("g", "torn", time.Hour, "a", true)
	h.backup("g", "left", time.Hour, "a", true)
	if err := os.WriteFile(filepath.Join(torn.Dir, "manifest.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := states(h.look(26*time.Hour, true)), "bare=none torn=damaged stale=old future=old unread=unverified fresh=ok later=ok left=gone"; got != want {
		t.Errorf("with a limit:\n got %s\nwant %s", got, want)
	}
	if got, want := states(h.look(0, true)), "bare=none torn=damaged later=unverified unread=unverified stale=ok fresh=ok future=ok left=gone"; got != want {
		t.Errorf("without a limit:\n got %s\nwant %s", got, want)
	}
	r := h.look(26*time.Hour, false)
	if got := states(r); strings.Contains(got, "gone") || r.Totals.Sandboxes != 8 {
		t.Errorf("what could not be seen is not gone: %s, %+v", got, r.Totals)
	}
	if late := len(h.look(26*time.Hour, true).Late()); late != 5 {
		t.Errorf("%d are late, want 5", late)
	}
}

// The same name on two gateways is two sandboxes, and the backup of one is no proof for the other.
func TestSeriesAreApart(t *testing.T) {
	h := newHost(t)
	h.sandbox("one", "alpha")
	h.sandbox("two", "alpha")
	h.backup("one", "alpha", time.Hour, "a", true)
	r := h.look(26*time.Hour, true)
	if len(r.Sandboxes) != 2 || r.Sandboxes[0].Gateway != "two" || r.Sandboxes[0].State != None || r.Sandboxes[1].State != OK {
		t.Errorf("got %+v", r.Sandboxes)
	}
}

// Shared content is counted once, for the backup that brought it.
func TestGrowth(t *testing.T) {
	h := newHost(t)
	h.sandbox("g", "alpha")
	first := h.backup("g", "alpha", 20*24*time.Hour, "a", true)
	same := h.backup("g", "alpha", 10*24*time.Hour, "a", true)
	last := h.backup("g", "alpha", 24*time.Hour, strings.Repeat("other", 100), true)
	takes := func(b store.Backup) int64 { return b.Manifest.Archive.Bytes + b.Beside() }
	a, b := takes(first), takes(last)
	none := takes(same) // a pack without blocks, and what lies beside it
	r := h.look(0, true)
	if same.Manifest.Archive.Bytes >= first.Manifest.Archive.Bytes || r.Totals.Bytes != a+none+b || r.Totals.LastWeek != b || r.Totals.Backups != 3 {
		t.Errorf("totals %+v, want %d and %d bytes", r.Totals, a+none+b, b)
	}
	if g := r.Growth; len(g) != 3 || g[0].Bytes != a || g[1].Bytes != a+none || g[2].Bytes != a+none+b || !g[0].At.Equal(now.Add(-20*24*time.Hour)) {
		t.Errorf("growth %+v", g)
	}
}

// Names come from outside: in the page and in the metrics they are text, whatever they hold.
func TestNamesAreText(t *testing.T) {
	h := newHost(t)
	h.sandbox(`"><script>alert(1)</script>`, `al"pha`)
	var page, metrics strings.Builder
	r := h.look(0, true)
	if err := r.Page(&page); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), "<script") {
		t.Error("a name became part of the page")
	}
	if err := r.Metrics(&metrics); err != nil {
		t.Fatal(err)
	}
	if want := `sandkeeper_backups{gateway="\"><script>alert(1)</script>",workspace="default",sandbox="al\"pha"} 0`; !strings.Contains(metrics.String(), want+"\n") {
		t.Errorf("metrics:\n%s", metrics.String())
	}
}

// The page is drawn by a real browser: every row has its bar, the growth goes up to the newest backup, and what is wider than the window can
// be scrolled to: nothing at 1100 px, table and growth at 600.
func TestPageInABrowser(t *testing.T) {
	browser, err := findBrowser()
	if err != nil {
		t.Skip("no headless Chromium: the page is not drawn")
	}
	h := newHost(t)
	for i := range 12 {
		h.backup("nemoclaw", "a-sandbox-with-a-long-name", time.Duration(12-i)*30*time.Hour, strings.Repeat(fmt.Sprint(i, "x"), 4000*i+1), true)
		h.backup("nemoclaw", "beta", time.Duration(12-i)*30*time.Hour+time.Hour, fmt.Sprint(i/3), i < 11)
	}
	for _, name := range []string{"a-sandbox-with-a-long-name", "beta", "gamma"} {
		h.sandbox("nemoclaw", name)
	}
	var page strings.Builder
	if err := h.look(26*time.Hour, true).Page(&page); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if keep := os.Getenv("SANDKEEPER_PAGE"); keep != "" {
		dir = keep
	}
	file := filepath.Join(dir, "status.html")
	probe := strings.Replace(page.String(), "</body>", `<script>
		var bars = [...document.querySelectorAll("rect.bar")].map(b => Math.round(b.getBoundingClientRect().width));
		var growth = document.querySelector("svg[viewBox] path").getBBox();
		var lost = document.documentElement.scrollWidth > innerWidth;
		var scrolls = [1100, 600].map(wide => {
			document.body.style.maxWidth = wide - 32 + "px"; // without the body's padding
			return [...document.querySelectorAll(".wide")].map(box => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX == "auto");
		});
		document.title = "bars " + bars.join(",") + " growth " + Math.round(growth.width) + "x" + Math.round(growth.height) + " lost " + lost + " scrolls " + scrolls.join(" ");
	</script></body>`, 1)
	if err := os.WriteFile(file, []byte(probe), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--window-size=1200,900",
		"--screenshot="+filepath.Join(dir, "status.png"), "--dump-dom", "file://"+file)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", browser, err)
	}
	title, _, _ := strings.Cut(string(out), "</title>")
	_, title, _ = strings.Cut(title, "<title>")
	if want := "bars 0,127,123 growth 720x158 lost false scrolls false,false true,true"; title != want {
		t.Errorf("drawn: %s, want %s", title, want)
	}
}

func findBrowser() (string, error) {
	for _, name := range []string{"chromium-headless-shell", "chromium", "google-chrome", "chromium-browser"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// TestTheStateOfAGatewayIsInNoWorkspace: a mistyped --workspace must not seem to match what was saved of a gateway itself.
func TestTheStateOfAGatewayIsInNoWorkspace(t *testing.T) {
	saved := Report{Gateways: []Row{{Gateway: "openshell"}}}
	if saved.Matches(Question{Workspace: "typo"}) {
		t.Error("the state of a gateway passes for a sandbox of a workspace")
	}
	if !saved.Matches(Question{Gateway: "openshell"}) || !saved.Matches(Question{}) {
		t.Error("the state of the gateway that is meant is not counted")
	}
}
