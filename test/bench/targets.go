package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// preflight holds the gate's figures against the slowest probe that it cannot do without.
func (r *section) preflight(samples map[string][]sample) {
	slow, fast := drifted{name: "slow"}, drifted{name: "fast"}
	r.table("Preflight that finds drift (slow: openshell takes 100 ms for each answer; fast: it answers at once)", samples, nil,
		stepNothing, stepVersion, slow.probe(), slow.gate(), slow.whole(), fast.probe(), fast.gate(), fast.whole())
	gate, probe := median(samples[slow.gate()]), median(samples[slow.probe()])
	quick, version := median(samples[fast.gate()]), median(samples[stepVersion])
	ratio := gate.wall.Seconds() / probe.wall.Seconds()
	r.aim("preflight that finds drift", "<= 1.2 x its slowest probe", ratio <= 1.2, "%.2f x (%s beside %s)", ratio, seconds(gate.wall), seconds(probe.wall))
	faster := nemoclawWall.Seconds() / quick.wall.Seconds()
	r.aim("the same, beside NemoClaw", ">= 15 x faster than its 0.51 s", faster >= 15, "%.1f x (%s)", faster, seconds(quick.wall))
	r.aim("memory of the preflight", "<= 1/3 of NemoClaw's 83 MiB", gate.rss <= nemoclawRSS/3, "%s", mebibytes(gate.rss))
	r.aim("start-up (version)", "<= 10 ms", version.wall <= 10*time.Millisecond, "%s (fastest %.1f ms)", seconds(version.wall), 1e3*fastest(samples[stepVersion]).Seconds())
	r.notes = append(r.notes, "NemoClaw's 0.51 s and 83 MiB are noted in docs/design.md 9 from another machine; they were not measured in this run.")
}

// check holds the time that the check needs besides the listing.
func (r *section) check(samples map[string][]sample) {
	var names []string
	own := map[int]time.Duration{}
	for _, many := range checkSizes() {
		names = append(names, checkName(many), listingName(many))
		own[many] = median(samples[checkName(many)]).wall - median(samples[listingName(many)]).wall
	}
	r.table("upgrade-sandboxes --check over many registered sandboxes", samples, nil, names...)
	r.aim("1,000 sandboxes, --check", "< 1 s besides the listing", own[1000] < time.Second, "%s", seconds(own[1000]))
	growth := own[2000].Seconds() / own[1000].Seconds()
	r.aim("the same for 2,000", "linear: 2 x as long (3 x is not)", growth < 3, "%.1f x (100: %s, 1,000: %s, 2,000: %s)", growth, seconds(own[100]), seconds(own[1000]), seconds(own[2000]))
}

// taken are the medians of what was measured.
type taken map[string][]sample

func (t taken) of(name string) sample { return median(t[name]) }

// times is how many times as long one step took as another.
func (t taken) times(a, b string) float64 { return t.of(a).wall.Seconds() / t.of(b).wall.Seconds() }

// beside says how long other tools took that were measured.
func (t taken) beside(names ...string) string {
	var said []string
	for _, name := range names {
		if len(t[name]) > 0 {
			tool, _, _ := strings.Cut(name, " ")
			said = append(said, tool+" "+seconds(t.of(name).wall))
		}
	}
	if len(said) == 0 {
		return ""
	}
	return " (" + strings.Join(said, ", ") + ")"
}

// aimTimes holds a step to a multiple of the time of another one, which is a number of the peer's name.
func (r *section) aimTimes(what string, t taken, ours, peer string, most float64) {
	if len(t[peer]) == 0 {
		return
	}
	ratio := t.times(ours, peer)
	r.aim(what, fmt.Sprintf("<= %.4g x %s", most, peer), ratio <= most, "%.2f x (%s beside %s)", ratio, seconds(t.of(ours).wall), seconds(t.of(peer).wall))
}

// first holds a first backup, the second one and a look at it beside the tools that move the same bytes.
func (r *section) first(samples map[string][]sample, sizes map[string]int64, data dataSet) {
	r.table(fmt.Sprintf("%.0f MB in %d files in the writable layer of a running container", float64(data.bytes())/1e6, data.files()), samples, sizes,
		first, tarZstd, resticFirst, borgFirst, second, resticSecond, borgSecond, verify, zstdTest, "restic check --read-data", "borg check --verify-data")
	t := taken(samples)
	r.aimTimes("first backup, direct way", t, first, tarZstd, 1.3)
	r.faster("the same, beside restic", t, resticFirst, 1.5)
	r.faster("the same, beside borg", t, borgFirst, 1)
	r.aim("nothing changed", "<= 0.6 s", t.of(second).wall <= 600*time.Millisecond, "%s%s",
		seconds(t.of(second).wall), t.beside(resticSecond, borgSecond))
	r.aim("archive size", "<= that of tar | zstd -1", sizes[first] <= sizes[tarZstd], "%s (tar | zstd -1 %s)", megabytes(sizes[first]), megabytes(sizes[tarZstd]))
	added := sizes[second] - sizes[first]
	r.aim("bytes of both backups beyond one archive", "no second copy", added < sizes[first]/10, "%s (manifests)", megabytes(added))
	r.memory("memory while backing up 20,006 files", max(t.of(first).rss, t.of(second).rss), 64, t.of(resticFirst).rss)
	r.aimTimes("verify --read-data", t, verify, zstdTest, 1.2)
}

// faster holds the first backup to so many times the speed of another tool.
func (r *section) faster(what string, t taken, peer string, want float64) {
	if len(t[peer]) == 0 {
		return
	}
	ratio := t.times(peer, first)
	r.aim(what, fmt.Sprintf(">= %.4g x faster", want), ratio >= want, "%.2f x (%s beside %s)", ratio, seconds(t.of(first).wall), seconds(t.of(peer).wall))
}

func (r *section) memory(what string, peak int64, most int64, restic int64) {
	beside := ""
	if restic > 0 {
		beside = fmt.Sprintf(" (restic %s)", mebibytes(restic))
	}
	r.aim(what, fmt.Sprintf("<= %d MiB", most), peak <= most<<20, "%s%s", mebibytes(peak), beside)
}

// engine holds the engine's way beside the engine alone.
func (r *section) engine(samples map[string][]sample, sizes map[string]int64, data dataSet) {
	r.table(fmt.Sprintf("%.0f MB in %d files, by the engine's archive calls", float64(data.bytes())/1e6, data.files()), samples, sizes,
		rawCopy, dockerZstd, engineFirst, dockerIn, engineIntoEmpty)
	t := taken(samples)
	r.aimTimes("first backup, engine's way", t, engineFirst, dockerZstd, 1.1)
}

// restore holds the way back beside who only unpacks.
func (r *section) restore(samples map[string][]sample, down []time.Duration) {
	r.table("The data set, from its newest backup", samples, nil, restoreEmpty, restoreOver, tarExtract, resticBack, borgBack)
	t := taken(samples)
	r.aimTimes("restore into an empty home, direct way", t, restoreEmpty, tarExtract, 1.5)
	r.aimTimes("restore into a full home, direct way", t, restoreOver, tarExtract, 2)
	longest := slices.Max(down)
	r.aim("how long the full sandbox was stopped", "a part of the restore: stop, exchange, start", longest < t.of(restoreOver).wall/4, "%s at most, of %s", seconds(longest), seconds(t.of(restoreOver).wall))
}

// day holds what a day of work costs beside restic.
func (r *section) day(samples map[string][]sample, added map[string]int64) {
	r.table("1 % of the small files rewritten, 1 % appended to a log, 1 % of a SQLite database of 105 MB changed; result: bytes added", samples, added, aDay, resticADay, borgADay)
	if len(samples[resticADay]) == 0 {
		r.aim("a day later", "<= 1/5 of restic's bytes", false, "%s; restic is not here", megabytes(added[aDay]))
		return
	}
	bytes := float64(added[aDay]) / float64(added[resticADay])
	r.aim("a day later, bytes", "<= 1/5 of restic's", bytes <= 0.2, "%.2f x (%s beside %s)", bytes, megabytes(added[aDay]), megabytes(added[resticADay]))
	r.aimTimes("a day later, time", samples, aDay, resticADay, 0.5)
}

// tenDays holds what a first backup and ten days add up to.
func (r *section) tenDays(samples map[string][]sample, added map[string]int64, whole int64) {
	r.table("Ten days, one after the other; result: what the last day added, and what all of them take on the disk", samples, added,
		aDay, resticADay, borgADay, tenDays, resticTenDays, borgTenDays, verifyAll)
	days := added[tenDays] - whole
	r.aim("ten days", "a first archive and ten small ones, all proven", days <= whole/4 && len(samples[verifyAll]) == 1,
		"%s and %s for ten days (in all: restic %s, borg %s)", megabytes(whole), megabytes(days), megabytes(added[resticTenDays]), megabytes(added[borgTenDays]))
}

// s3 holds the way to a bucket beside a put.
func (r *section) s3(samples map[string][]sample, sizes map[string]int64) {
	r.table("One backup to versitygw on this host", samples, sizes, syncFirst, syncAgain, putTheSame, copyRestic)
	r.aimTimes("to a bucket", samples, syncFirst, putTheSame, 1.3)
	r.memory("memory of it", taken(samples).of(syncFirst).rss, 64, 0)
}

// many holds a home of 100,000 entries beside the engine.
func (r *section) many(samples map[string][]sample) {
	r.table("200 MB in 100,000 entries in the writable layer of a running container", samples, nil, manyBackup, manyAgain, manyRaw, manyCopy, manyRestore, manyDockerIn)
	r.aimTimes("100,000 entries: first backup", samples, manyBackup, manyCopy, 1.3)
	r.aimTimes("100,000 entries: restore into a full home", samples, manyRestore, manyDockerIn, 2)
	r.memory("100,000 entries: memory", max(taken(samples).of(manyBackup).rss, taken(samples).of(manyRestore).rss), 256, 0)
}

// million holds the memory for a home of a million entries.
func (r *section) million(samples map[string][]sample) {
	r.table("1,000,000 entries in the writable layer of a running container, once", samples, nil, manyBackup, manyAgain, manyTar, manyRestic)
	t := taken(samples)
	r.memory("1,000,000 entries: memory while backing up", max(t.of(manyBackup).rss, t.of(manyAgain).rss), 256, t.of(manyRestic).rss)
}

// sparse holds a file that is nearly all hole beside who knows of holes.
func (r *section) sparse(samples map[string][]sample, sizes map[string]int64) {
	r.table("A file of 12 GiB, of which 64 MiB are data in 64 places", samples, sizes, sparseBackup, sparseTar, sparseRestic, sparseRestore, sparseExtract)
	r.aimTimes("sparse file of 12 GiB: first backup", samples, sparseBackup, sparseRestic, 1)
	r.aimTimes("sparse file of 12 GiB: restore, holes kept", samples, sparseRestore, sparseRestic, 1)
	r.notes = append(r.notes, "The design sets no target for a sparse file; restic reads every zero of it, as we do, and tar -S none.")
}

// size holds the size of the program.
func (r *section) size(program string) error {
	size, err := fileSize(program)
	r.aim("binary, stripped", "<= 32 MB", size <= 32e6, "%s", megabytes(size))
	return err
}
