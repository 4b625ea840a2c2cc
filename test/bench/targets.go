package main

import (
	"context"
	"fmt"
	"time"
)

// preflight holds the gate's figures against the slowest probe that it cannot do without.
func (r *report) preflight(samples map[string][]sample) {
	slow, fast := drifted{name: "slow"}, drifted{name: "fast"}
	r.table("Preflight that finds drift (slow: openshell takes 100 ms for each answer; fast: it answers at once)", samples, nil,
		stepNothing, stepVersion, slow.probe(), slow.gate(), slow.whole(), fast.probe(), fast.gate(), fast.whole())
	gate, probe := median(samples[slow.gate()]), median(samples[slow.probe()])
	quick, version := median(samples[fast.gate()]), median(samples[stepVersion])
	ratio := gate.wall.Seconds() / probe.wall.Seconds()
	r.aim("preflight that finds drift", "<= 1.3 x its slowest probe", ratio <= 1.3, "%.2f x (%s beside %s)", ratio, seconds(gate.wall), seconds(probe.wall))
	faster := nemoclawWall.Seconds() / quick.wall.Seconds()
	r.aim("the same, beside NemoClaw", ">= 15 x faster than its 0.51 s", faster >= 15, "%.1f x (%s)", faster, seconds(quick.wall))
	r.aim("memory of the preflight", "<= 1/3 of NemoClaw's 83 MiB", gate.rss <= nemoclawRSS/3, "%s", mebibytes(gate.rss))
	r.aim("start-up (version)", "<= 10 ms", version.wall <= 10*time.Millisecond, "%s (fastest %.1f ms)", seconds(version.wall), 1e3*fastest(samples[stepVersion]).Seconds())
	r.notes = append(r.notes, "NemoClaw's 0.51 s and 83 MiB are noted in docs/design.md 9 from another machine; they were not measured in this run.")
}

// check holds the time that the check needs besides the listing.
func (r *report) check(samples map[string][]sample) {
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

// backups holds saving and restoring beside the tools that move the same bytes.
func (r *report) backups(samples map[string][]sample, sizes map[string]int64, data dataSet) {
	r.table(fmt.Sprintf("Backup and restore of %.0f MB in %d files in the writable layer of a running container", float64(data.bytes())/1e6, data.files()), samples, sizes,
		rawCopy, dockerZstd, tarZstd, first, resticInit, resticFirst, second, resticSecond, verify, zstdTest, resticCheck,
		restoreEmpty, restoreOver, tarExtract, dockerIn, resticBack)
	took := func(name string) sample { return median(samples[name]) }
	times := func(a, b string) float64 { return took(a).wall.Seconds() / took(b).wall.Seconds() }
	r.aim("first backup", "<= 1.25 x docker cp | zstd -1 | sha256sum", times(first, dockerZstd) <= 1.25, "%.2f x (%s beside %s); CPU %.2f x",
		times(first, dockerZstd), seconds(took(first).wall), seconds(took(dockerZstd).wall), took(first).cpu.Seconds()/took(dockerZstd).cpu.Seconds())
	if len(samples[resticFirst]) > 0 {
		r.aim("the same, beside restic", "ahead of it", times(first, resticFirst) < 1, "%.2f x (restic %s)", times(first, resticFirst), seconds(took(resticFirst).wall))
	}
	r.aim("second backup, nothing changed", "<= 2 s", took(second).wall <= 2*time.Second, "%s (raw docker cp alone %s: %.2f x)",
		seconds(took(second).wall), seconds(took(rawCopy).wall), times(second, rawCopy))
	again := sizes[second] - sizes[first]
	r.aim("bytes of both backups beyond one archive", "no second copy", again < sizes[first]/10, "%s (manifests)", megabytes(again))
	r.aim("archive size", "<= 455 MB", r.part > 1 || sizes[first] <= 455e6, "%s (zstd -1 of the same stream %s)", megabytes(sizes[first]), megabytes(sizes[dockerZstd]))
	peak := max(took(first).rss, took(second).rss)
	r.aim("memory while backing up", "<= 64 MiB", peak <= 64<<20, "%s", mebibytes(peak))
	r.aim("verify --read-data", "<= 2.5 s", took(verify).wall <= 2500*time.Millisecond, "%s (zstd -t %s)", seconds(took(verify).wall), seconds(took(zstdTest).wall))
	r.aim("restore", "<= 5 s", took(restoreEmpty).wall <= 5*time.Second, "%s (tar x %s, docker cp %s; it verifies before and reads back after)",
		seconds(took(restoreEmpty).wall), seconds(took(tarExtract).wall), seconds(took(dockerIn).wall))
}

// day holds what a day of work costs beside restic.
func (r *report) day(samples map[string][]sample, added map[string]int64) {
	r.table("A day later: 1 % of the small files rewritten, 1 % appended to a log, 1 % of a SQLite database of 105 MB changed", samples, added, aDay, resticADay, borgADay, tenDays, resticTenDays, borgTenDays)
	if len(samples[resticADay]) == 0 {
		r.aim("a day later", "<= 1/5 of restic's bytes", false, "%s; restic is not here", megabytes(added[aDay]))
		return
	}
	bytes := float64(added[aDay]) / float64(added[resticADay])
	r.aim("a day later, bytes", "<= 1/5 of restic's", bytes <= 0.2, "%.2f x (%s beside %s)", bytes, megabytes(added[aDay]), megabytes(added[resticADay]))
	ours, theirs := median(samples[aDay]).wall, median(samples[resticADay]).wall
	r.aim("a day later, time", "<= 1/2 of restic's", 2*ours <= theirs, "%.2f x (%s beside %s)", ours.Seconds()/theirs.Seconds(), seconds(ours), seconds(theirs))
	r.aim("ten days", "a first archive and ten small ones", added[tenDays] <= 20*added[aDay], "%s added (restic %s, borg %s)",
		megabytes(added[tenDays]), megabytes(added[resticTenDays]), megabytes(added[borgTenDays]))
}

// size holds the size of the program.
func (b *bench) size(_ context.Context, r *report) error {
	size, err := fileSize(b.program)
	r.aim("binary, stripped", "<= 20 MB", size <= 20e6, "%s", megabytes(size))
	return err
}
