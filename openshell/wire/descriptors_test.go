package wire

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// real are the messages of openshell.proto under the names that OpenShell gives them, by the published client that has them. What is of
// another generation is left out there.
func real() map[string]map[string][]string {
	both := map[string][]string{
		"HealthResponse": {"HealthResponse"}, "GetGatewayInfoResponse": {"GetGatewayInfoResponse"}, "ComputeDriver": {"ComputeDriverInfo"},
		"Sandbox": {"Sandbox"}, "SandboxStatus": {"SandboxStatus"}, "SandboxCondition": {"SandboxCondition"}, "SandboxResponse": {"SandboxResponse"},
		"ResourceRequirements": {"ResourceRequirements"}, "GpuResourceRequirements": {"GpuResourceRequirements"}, "Provider": {"Provider"},
		"PolicyStatusResponse": {"GetSandboxPolicyStatusResponse"}, "PolicyRevision": {"SandboxPolicyRevision"},
		"ListProvidersResponse": {"ListProvidersResponse"}, "ListSandboxesResponse": {"ListSandboxesResponse"},
		"ExecSandboxEvent": {"ExecSandboxEvent"}, "ExecSandboxOutput": {"ExecSandboxStdout", "ExecSandboxStderr"}, "ExecSandboxExit": {"ExecSandboxExit"},
		"ObjectMeta": {"ObjectMeta"}, "SandboxSpec": {"SandboxSpec"}, "SandboxTemplate": {"SandboxTemplate"}, "DeleteSandboxResponse": {"DeleteSandboxResponse"},
	}
	named := []string{"GetSandboxRequest", "DeleteSandboxRequest", "StopSandboxRequest", "StartSandboxRequest"}
	of := func(own map[string][]string) map[string][]string {
		for ours, theirs := range both {
			own[ours] = theirs
		}
		return own
	}
	return map[string]map[string][]string{
		"0.0.116": of(map[string][]string{
			"OffsetListSandboxesRequest": {"ListSandboxesRequest"}, "OffsetListProvidersRequest": {"ListProvidersRequest"}, "NameRequest": named,
			"PolicyStatusRequest": {"GetSandboxPolicyStatusRequest"}, "CreateSandboxRequest": {"CreateSandboxRequest"},
			"ExecSandboxRequest": {"ExecSandboxRequest"},
		}),
		"0.1.5": of(map[string][]string{
			"TokenListSandboxesRequest": {"ListSandboxesRequest"}, "TokenListProvidersRequest": {"ListProvidersRequest"}, "ScopedNameRequest": named,
			"ScopedPolicyStatusRequest": {"GetSandboxPolicyStatusRequest"}, "ScopedCreateSandboxRequest": {"CreateSandboxRequest"},
			"ScopedExecSandboxRequest": {"ExecSandboxRequest"}, "WorkspaceSelector": {"WorkspaceSelector"},
			"SandboxPolicy": {"SandboxPolicy"}, "ProcessPolicy": {"ProcessPolicy"}, "CreateWorkspaceRequest": {"CreateWorkspaceRequest"},
		}),
	}
}

// gone are fields of openshell.proto that a published client does not have: they are of older or of newer versions.
func gone(version string) map[string]bool {
	of := map[string][]string{
		"0.0.116": {
			"ObjectMeta.created_time", "SandboxSpec.gpu_device", "SandboxSpec.provider_attachment_epoch", "SandboxTemplate.pod_template",
			"SandboxTemplate.volume_claim_templates", "ListSandboxesResponse.next_page_token", "ListProvidersResponse.next_page_token",
			"DeleteSandboxResponse.outcome",
		},
		"0.1.5": {
			"ObjectMeta.created_at_ms", "SandboxSpec.gpu_device", "SandboxTemplate.pod_template", "SandboxTemplate.volume_claim_templates",
			"DeleteSandboxResponse.deleted", "ScopedPolicyStatusRequest.name",
		},
	}
	all := map[string]bool{}
	for _, field := range of[version] {
		all[field] = true
	}
	return all
}

// TestNumbersAreThoseOfPublishedClients holds openshell.proto to the descriptors in OpenShell's own Python clients: each line of the
// recordings is a field, its number and its type, of the wheels openshell 0.0.116 and 0.1.5.
func TestNumbersAreThoseOfPublishedClients(t *testing.T) {
	schema := readProto(t)
	for version, messages := range real() {
		theirs := readDescriptors(t, version)
		missing := gone(version)
		for field, number := range schema {
			ours, name, _ := strings.Cut(field, ".")
			for _, message := range messages[ours] {
				got, there := theirs[message+"."+name]
				if there == missing[field] || there && got != number {
					t.Errorf("%s: %s is %d here, and %d (there: %v) as %s", version, field, number, got, there, message)
				}
			}
		}
	}
}

func readDescriptors(t *testing.T, version string) map[string]protowire.Number {
	t.Helper()
	content, err := os.ReadFile("testdata/descriptors-" + version + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]protowire.Number{}
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		number, err := strconv.Atoi(words[1])
		if err != nil {
			t.Fatal(err)
		}
		fields[words[0]] = protowire.Number(number)
	}
	return fields
}
