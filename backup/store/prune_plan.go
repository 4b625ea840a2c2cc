package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sandkeeper/backup/archive"
)

// Keep says which backups of a sandbox outlive a pruning. A backup that any rule wants is kept.
type Keep struct {
	Last   int // so many newest ones
	Daily  int // the newest one of so many days (UTC) that have backups
	Weekly int // the newest one of so many weeks (ISO 8601, UTC) that have backups
}

// Kept is one backup that stays, and why.
type Kept struct {
	Backup  Backup
	Reasons []string // last, daily, weekly, last verified, newest whole
}

// PrunePlan is what a pruning of one sandbox would do. Damaged backups count for no rule and are not removed: they are
// for people to look at.
type PrunePlan struct {
	Keep    []Kept
	Remove  []Backup
	Damaged []Backup
}

// ErrKeepNothing means that a pruning without any rule was asked for.
var ErrKeepNothing = errors.New("a pruning needs at least one of --keep, --keep-daily, --keep-weekly above 0")

// PlanPrune decides, without touching anything. All backups are of one sandbox; the order does not matter. The newest
// whole backup, as Latest means it, and the newest verified one are always kept: a copy of what a restore has replaced,
// which is newer than what was restored, must not cost the backup that "latest" names.
func PlanPrune(backups []Backup, keep Keep) (PrunePlan, error) {
	if keep.Last < 0 || keep.Daily < 0 || keep.Weekly < 0 {
		return PrunePlan{}, fmt.Errorf("a number of backups to keep is below 0: %d", min(keep.Last, keep.Daily, keep.Weekly))
	}
	if keep == (Keep{}) {
		return PrunePlan{}, ErrKeepNothing
	}
	sorted := slices.SortedFunc(slices.Values(backups), func(a, b Backup) int {
		return strings.Compare(b.ID, a.ID) // ids sort by time
	})
	var plan PrunePlan
	rules := keepRules(keep)
	for _, b := range sorted {
		if !b.Whole() {
			plan.Damaged = append(plan.Damaged, b)
			continue
		}
		var reasons []string
		for _, rule := range rules {
			if rule.wants(b) {
				reasons = append(reasons, rule.name)
			}
		}

		if len(reasons) > 0 {
			plan.Keep = append(plan.Keep, Kept{b, reasons})
		} else {
			plan.Remove = append(plan.Remove, b)
		}
	}

	return plan, nil
}

// keepRule wants the first backup of each period, until it has enough; backups come newest first.
type keepRule struct {
	name   string
	left   int
	period func(Backup) (string, bool)
	last   string
}

func (r *keepRule) wants(b Backup) bool {
	period, counts := r.period(b)
	if r.left == 0 || !counts || period == r.last {
		return false
	}
	r.left--
	r.last = period
	return true
}

func keepRules(keep Keep) []*keepRule {
	byTime := func(name func(time.Time) string) func(Backup) (string, bool) {
		return func(b Backup) (string, bool) { return name(b.Time()), true }
	}
	return []*keepRule{
		{name: "last", left: keep.Last, period: func(b Backup) (string, bool) { return b.ID, true }},
		{name: "daily", left: keep.Daily, period: byTime(func(t time.Time) string { return t.Format(time.DateOnly) })},
		{name: "weekly", left: keep.Weekly, period: byTime(func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		})},
		{name: "last verified", left: 1, period: func(b Backup) (string, bool) { return b.ID, b.Verified != nil && b.Verified.ReadData }},
		{name: "newest whole", left: 1, period: func(b Backup) (string, bool) { return b.ID, b.Manifest.Label != archive.LabelBeforeRestore }},
	}
}
