package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sandkeeper/backup/archive"
)

// aged is a whole backup with that id; "!" marks it damaged, "+" verified, "~" what a restore replaced.
func aged(mark string) Backup {
	b := Backup{ID: strings.TrimLeft(mark, "!+~"), Sandbox: "alpha", Manifest: &archive.Manifest{}}
	switch mark[0] {
	case '!':
		b.Manifest, b.Damage = nil, &archive.DamageError{Kind: archive.DamageSeal}
	case '+':
		b.Verified = &Verified{ReadData: true}
	case '~':
		b.Manifest.Label = archive.LabelBeforeRestore
	}
	return b
}

func agedAll(marks string) (have []Backup) {
	for mark := range strings.FieldsSeq(marks) {
		have = append(have, aged(mark))
	}
	return have
}

func TestPlanPrune(t *testing.T) {
	const (
		a = "20260105T100000Z-aaaa" // Monday, week 2
		b = "20260105T120000Z-bbbb"
		c = "20260106T100000Z-cccc"
		d = "20260112T100000Z-dddd" // Monday, week 3
		e = "20260112T100000Z-eeee"
		f = "20260113T100000Z-ffff"
	)
	for name, test := range map[string]struct {
		have   string
		keep   Keep
		remove string
	}{
		"last":                                 {a + " " + b + " " + c + " " + d, Keep{Last: 2}, b + " " + a},
		"any order":                            {c + " " + a + " " + d + " " + b, Keep{Last: 2}, b + " " + a},
		"same second":                          {d + " " + e, Keep{Last: 1}, d},
		"daily":                                {a + " " + b + " " + c + " " + d, Keep{Daily: 3}, a},
		"weekly":                               {a + " " + b + " " + c + " " + d, Keep{Weekly: 2}, b + " " + a},
		"weeks are those of ISO 8601":          {a + " 20260111T100000Z-abab " + d, Keep{Weekly: 2}, a},
		"rules add up":                         {a + " " + b + " " + c + " " + d + " " + e + " " + f, Keep{Last: 1, Weekly: 2}, e + " " + d + " " + b + " " + a},
		"last verified is kept":                {"+" + a + " " + b + " " + c + " " + d, Keep{Last: 1}, c + " " + b},
		"only the newest verified one":         {"+" + a + " +" + b + " " + d, Keep{Last: 1}, a},
		"newest whole is kept":                 {a + " !" + d, Keep{Last: 1}, ""},
		"what latest means is kept":            {a + " " + b + " ~" + c + " ~" + d, Keep{Last: 1}, c + " " + a},
		"of replaced ones the newest":          {"~" + a + " ~" + b, Keep{Last: 1}, a},
		"damaged ones count for nothing":       {a + " " + b + " !" + c + " !" + d, Keep{Last: 1}, a},
		"all damaged":                          {"!" + a + " !" + b, Keep{Last: 1}, ""},
		"nothing there":                        {"", Keep{Last: 1}, ""},
		"newest whole even when unverified":    {"+" + a + " " + f, Keep{Daily: 1}, ""},
		"as many as there are, or more":        {a + " " + b, Keep{Last: 99, Daily: 99, Weekly: 99}, ""},
		"a verified one that is old, weekly 1": {"+" + a + " " + c + " " + f, Keep{Weekly: 1}, c},
	} {
		t.Run(name, func(t *testing.T) {
			have := agedAll(test.have)
			plan, err := PlanPrune(have, test.keep)
			if err != nil {
				t.Fatal(err)
			}
			var remove []string
			for _, b := range plan.Remove {
				remove = append(remove, b.ID)
			}
			if want := strings.Fields(test.remove); !slices.Equal(remove, want) {
				t.Errorf("remove = %v, want %v", remove, want)
			}
			if len(plan.Keep)+len(plan.Remove)+len(plan.Damaged) != len(have) {
				t.Errorf("the plan does not add up: %+v", plan)
			}
			for _, k := range plan.Keep {
				if len(k.Reasons) == 0 {
					t.Errorf("%s is kept without a reason", k.Backup.ID)
				}
			}
		})
	}
	looked := aged("+20260105T100000Z-aaaa")
	looked.Verified.ReadData = false
	if plan, err := PlanPrune([]Backup{looked, aged(f)}, Keep{Last: 1}); err != nil || len(plan.Remove) != 1 {
		t.Errorf("one whose structure alone was looked at counts as verified: %+v, %v", plan, err)
	}
	if _, err := PlanPrune(nil, Keep{}); !errors.Is(err, ErrKeepNothing) {
		t.Errorf("no rule: %v", err)
	}
	if _, err := PlanPrune(nil, Keep{Last: -1}); err == nil {
		t.Error("a negative number was taken")
	}
}

func TestRemoveNeedsABackup(t *testing.T) {
	s := testStore(t, Options{})
	create(t, s, newOf("alpha"), folderItem("."))
	for _, b := range []Backup{{Sandbox: "alpha", ID: ".."}, {Sandbox: "..", ID: "20260105T100000Z-aaaa"}, {Sandbox: "alpha", ID: "20260105T100000Z-aaaa"}} {
		if err := s.Remove(t.Context(), b, nil); err == nil {
			t.Errorf("%+v was removed", b)
		}
	}
	if list, err := s.Backups("alpha"); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
