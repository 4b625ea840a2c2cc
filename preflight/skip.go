package preflight

import (
	"fmt"
	"slices"
	"strings"

	"sandkeeper/gateway"
)

// KnownChecks are the codes of all checks, in the order shown.
func KnownChecks() []string {
	var codes []string
	for _, c := range slices.Concat(Checks(gateway.Observation{}), HostChecks(HostInput{})) {
		codes = append(codes, c.Code)
	}
	return codes
}

// CheckSkips judges codes that an operator wants to have demoted: each must be one, and the gate is none of them.
func CheckSkips(codes []string) error {
	known := KnownChecks()
	for _, code := range codes {
		if code == CodeAgreement {
			return fmt.Errorf("check %q is the gate and cannot be skipped; `sandkeeper backup-all --offline` trusts no gateway and needs no gate", code)
		}
		if !slices.Contains(known, code) {
			return fmt.Errorf("there is no check %q; the checks that can be skipped are %s", code, strings.Join(skippable(known), ", "))
		}
	}
	return nil
}

func skippable(known []string) []string {
	return slices.DeleteFunc(slices.Clone(known), func(code string) bool { return code == CodeAgreement })
}

// Demote makes warnings of the failures that an operator has chosen to skip, and says so in each.
func Demote(results []Result, skipped []string) []Result {
	demoted := slices.Clone(results)
	for i, r := range demoted {
		if r.Status == Fail && slices.Contains(skipped, r.Code) && r.Code != CodeAgreement {
			demoted[i].Status, demoted[i].Detail = Warn, r.Detail+" (skipped by --skip-check)"
		}
	}
	return demoted
}
