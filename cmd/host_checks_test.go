package cmd

import (
	"slices"
	"testing"
)

func TestRoomIsNeededForTheChosenOnly(t *testing.T) {
	all := []string{"alpha", "beta", "gamma"}
	for _, tc := range []struct {
		name          string
		only, exclude []string
		want          []string
	}{
		{"all", nil, nil, all},
		{"only", []string{"beta"}, nil, []string{"beta"}},
		{"exclude", nil, []string{"beta"}, []string{"alpha", "gamma"}},
		{"both", []string{"alpha", "beta"}, []string{"beta"}, []string{"alpha"}},
	} {
		o := &backupAllOptions{only: tc.only, exclude: tc.exclude}
		if got := o.chosen(all); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	if !slices.Equal(all, []string{"alpha", "beta", "gamma"}) {
		t.Errorf("the names were changed in place: %v", all)
	}
}
