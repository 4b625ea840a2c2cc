package drift

import (
	"strings"
	"testing"
)

// TestInvariants holds, without looking at the golden file, what must be true of every combination of evidence.
func TestInvariants(t *testing.T) {
	cells := 0
	everyCell(func(c cell) {
		cells++
		a := Assess(c.observation())
		for rule, broken := range map[string]bool{
			"an unknown CLI version neither passes nor refuses":                c.cli != "known" && a.Verdict != Unverified,
			"a pass has equal evidence":                                        a.Verdict == Pass && !c.any("agrees"),
			"a refusal has different evidence":                                 a.Verdict == Refuse && !c.any("differs"),
			"serving evidence that differs never passes":                       a.Verdict == Pass && c.servingDiffers(),
			"serving evidence that differs refuses":                            c.cli == "known" && c.servingDiffers() && a.Verdict != Refuse,
			"findings are there exactly on refusal":                            (a.Verdict == Refuse) != (len(a.Findings) > 0),
			"confirmation is there exactly on pass":                            (a.Verdict == Pass) != (a.Confirmed != ""),
			"doubt is there exactly when unverified":                           (a.Verdict == Unverified) != (a.Doubt != ""),
			"a live process of unknown version is not vouched for by its file": a.Verdict == Pass && c.process == "unknown" && c.served != "agrees" && c.cluster != "active-agrees",
			"a cluster that could not be seen is not vouched for by a file":    a.Verdict == Pass && c.cluster == "unknown" && c.process != "agrees" && c.served != "agrees",
			"warnings never stand beside unverified":                           a.Verdict == Unverified && len(a.Warnings) > 0,
			"a finding names both versions":                                    a.Verdict == Refuse && (a.Findings[0].Installed.String() != installed || a.Findings[0].Running.String() != other),
		} {
			if broken {
				t.Errorf("%v: %q does not hold: %+v", c, rule, a)
			}
		}
	})
	if cells != 3*6*4*4*4 {
		t.Errorf("visited %d cells, want the whole matrix", cells)
	}
}

// TestInactiveClusterHidesNothing: a leftover container changes no verdict.
func TestInactiveClusterHidesNothing(t *testing.T) {
	everyCell(func(c cell) {
		if c.cluster != "inactive" {
			return
		}
		nameless := c.observation()
		nameless.Cluster.Evidence, nameless.Cluster.Image = Evidence{State: Unknown, Why: "image carries no version"}, "k3s:latest"
		c.cluster = "absent"
		without := outcome(Assess(c.observation()))
		c.cluster = "inactive"
		for _, o := range []Observation{c.observation(), nameless} {
			if with := outcome(Assess(o)); with != without {
				t.Errorf("%v, image %s: %s with a leftover container, %s without", c, o.Cluster.Image, with, without)
			}
		}
	})
}

// TestActiveClusterOutranksHost: neither process nor file is judged under an active cluster.
func TestActiveClusterOutranksHost(t *testing.T) {
	everyCell(func(c cell) {
		if !strings.HasPrefix(c.cluster, "active") {
			return
		}
		with := outcome(Assess(c.observation()))
		c.process, c.file = "absent", "absent"
		if without := outcome(Assess(c.observation())); with != without {
			t.Errorf("%v: host evidence turns %s into %s", c, without, with)
		}
	})
}

func (c cell) any(standing string) bool {
	return c.process == standing || c.file == standing || c.served == standing || strings.HasSuffix(c.cluster, standing)
}

// servingDiffers reports whether something that serves now is known to differ: the file does not serve, and under an active
// cluster the host's process is another gateway.
func (c cell) servingDiffers() bool {
	active := strings.HasPrefix(c.cluster, "active")
	return c.cluster == "active-differs" || !active && c.process == "differs" || c.served == "differs"
}
