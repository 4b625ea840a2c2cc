package wire

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// golden is a message as protoc encoded it from openshell.proto.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNumbersFollowTheProto(t *testing.T) {
	schema := readProto(t)
	for name, number := range map[string]protowire.Number{
		"HealthResponse.status": healthStatus, "HealthResponse.version": healthText,
		"GetGatewayInfoResponse.compute_drivers": infoDrivers, "ComputeDriver.name": driverName,
		"ObjectMeta.id": metaID, "ObjectMeta.name": metaName, "ObjectMeta.created_at_ms": metaCreatedMs, "ObjectMeta.labels": metaLabels,
		"ObjectMeta.annotations": metaAnnotations, "ObjectMeta.workspace": metaWorkspace, "ObjectMeta.created_time": metaCreatedTime,
		"ClusterSandbox.id": clusterID, "ClusterSandbox.name": clusterName, "ClusterSandbox.spec": clusterSpec,
		"ClusterSandbox.status": clusterStatus, "ClusterSandbox.phase": clusterPhase, "ClusterSandbox.created_at_ms": clusterCreatedMs,
		"MetadataSandbox.metadata": sandboxMetadata, "MetadataSandbox.spec": sandboxSpec, "MetadataSandbox.status": sandboxStatus,
		"MetadataSandbox.phase": sandboxPhase, "Sandbox.metadata": sandboxMetadata, "Sandbox.spec": sandboxSpec, "Sandbox.status": sandboxStatus,
		"SandboxStatus.conditions": statusConditions, "SandboxStatus.phase": statusPhase,
		"SandboxCondition.type": conditionType, "SandboxCondition.status": conditionStatus, "SandboxCondition.reason": conditionReason,
		"SandboxCondition.message": conditionMessage, "SandboxSpec.environment": specEnvironment, "SandboxSpec.template": specTemplate,
		"SandboxSpec.policy": specPolicy, "SandboxSpec.providers": specProviders, "SandboxSpec.resource_requirements": specResources,
		"SandboxSpec.gpu_device": specGPUDevice, "SandboxSpec.command": specCommand, "SandboxSpec.tty": specTTY,
		"SandboxSpec.provider_attachment_epoch": specEpoch, "ResourceRequirements.gpu": resourcesGPU, "SandboxTemplate.image": templateImage, "SandboxTemplate.labels": templateLabels,
		"SandboxTemplate.pod_template": templatePod, "SandboxTemplate.volume_claim_templates": templateVolumeClaims,
		"SandboxTemplate.user_namespaces": templateUserNamespaces, "SandboxTemplate.driver_config": templateDriverConfig,
		"OffsetListSandboxesRequest.limit": listLimit, "OffsetListSandboxesRequest.offset": listOffset,
		"OffsetListSandboxesRequest.workspace": listWorkspace, "TokenListSandboxesRequest.page_size": listLimit,
		"TokenListSandboxesRequest.page_token": listOffset, "TokenListSandboxesRequest.workspace_scope": listWorkspace,
		"ListSandboxesResponse.sandboxes": pageItems, "ListSandboxesResponse.next_page_token": pageNext,
		"OffsetListProvidersRequest.limit": listLimit, "OffsetListProvidersRequest.offset": listOffset,
		"OffsetListProvidersRequest.workspace": providersWorkspace, "TokenListProvidersRequest.page_size": listLimit,
		"TokenListProvidersRequest.page_token": listOffset, "TokenListProvidersRequest.workspace_scope": providersWorkspace,
		"ListProvidersResponse.providers": pageItems, "ListProvidersResponse.next_page_token": pageNext,
		"ClusterProvider.id": clusterID, "ClusterProvider.name": clusterName, "Provider.metadata": sandboxMetadata,
		"NameRequest.name": nameName, "NameRequest.workspace": nameWorkspace, "ScopedNameRequest.name": nameName,
		"PolicyStatusRequest.name": nameName, "PolicyStatusRequest.version": policyVersion, "PolicyStatusRequest.workspace": policyWorkspace,
		"ScopedPolicyStatusRequest.name": nameName, "ScopedPolicyStatusRequest.version": policyVersion,
		"ScopedPolicyStatusRequest.workspace_scope": policyWorkspace, "PolicyStatusResponse.revision": policyRevision,
		"PolicyStatusResponse.active_version": policyActive, "PolicyRevision.version": revisionVersion,
		"PolicyRevision.status": revisionStatus, "PolicyRevision.policy": revisionPolicy,
		"ScopedNameRequest.workspace_scope": nameWorkspace, "CreateSandboxRequest.spec": createSpec, "CreateSandboxRequest.name": createName,
		"CreateSandboxRequest.labels": createLabels, "CreateSandboxRequest.annotations": createAnnotations,
		"CreateSandboxRequest.workspace": createWorkspace, "ScopedCreateSandboxRequest.spec": createSpec,
		"ScopedCreateSandboxRequest.name": createName, "ScopedCreateSandboxRequest.labels": createLabels,
		"ScopedCreateSandboxRequest.annotations": createAnnotations, "ScopedCreateSandboxRequest.workspace_scope": createScope,
		"SandboxResponse.sandbox": responseSandbox, "DeleteSandboxResponse.deleted": deletedFlag,
		"DeleteSandboxResponse.outcome": deletedOutcome, "WorkspaceSelector.workspace": selectorWorkspace,
		"OffsetListSandboxesRequest.all_workspaces": listEverywhere, "WorkspaceSelector.all_workspaces": selectorEverywhere,
		"GpuResourceRequirements.count": 1,
		"SandboxPolicy.process":         policyProcess, "ProcessPolicy.run_as_user": processUser, "CreateWorkspaceRequest.name": nameName,
		"ExecSandboxRequest.sandbox_id": execSandbox, "ExecSandboxRequest.command": execCommand,
		"ScopedExecSandboxRequest.sandbox": execSandbox, "ScopedExecSandboxRequest.command": execCommand,
		"ScopedExecSandboxRequest.workspace_scope": execScope, "ExecSandboxEvent.stdout": eventStdout, "ExecSandboxEvent.stderr": eventStderr,
		"ExecSandboxEvent.exit": eventExit, "ExecSandboxOutput.data": eventData, "ExecSandboxExit.exit_code": exitCode,
	} {
		if schema[name] != number {
			t.Errorf("%s is %d here and %d in openshell.proto", name, number, schema[name])
		}
		delete(schema, name)
	}
	for name := range schema {
		t.Errorf("%s of openshell.proto is in no constant", name)
	}
}

var (
	messageLine = regexp.MustCompile(`^message (\w+) \{`)
	fieldLine   = regexp.MustCompile(`^  (?:[\w.]+ )*[\w.<>, ]+ (\w+) = (\d+);`)
)

func readProto(t *testing.T) map[string]protowire.Number {
	t.Helper()
	text, err := os.ReadFile("openshell.proto")
	if err != nil {
		t.Fatal(err)
	}
	schema, message := map[string]protowire.Number{}, ""
	for line := range strings.Lines(string(text)) {
		if m := messageLine.FindStringSubmatch(line); m != nil {
			message = m[1]
		}
		if f := fieldLine.FindStringSubmatch(line); f != nil {
			number, _ := strconv.Atoi(f[2])
			schema[message+"."+f[1]] = protowire.Number(number)
		}
	}
	return schema
}

func TestVersionOf(t *testing.T) {
	for text, want := range map[string]Generation{
		"0.0.1": Cluster, "0.0.36": Cluster, "0.0.37": Metadata, "0.0.52": Metadata, "0.0.53": Status, "0.0.116": Status,
		"0.0.112-dev.3+gabc": Status, "v0.0.110": Status, "0.1.0": Timestamps, "0.1.9": Timestamps,
		"0.0.0": Unknown, "": Unknown, "nonsense": Unknown, "0.2.0": Unknown, "1.0.0": Unknown, "0.0.112.dev3": Status,
	} {
		if got := VersionOf(text); got.Generation != want || got.Text != text {
			t.Errorf("VersionOf(%q) = %+v, want %v", text, got, want)
		}
	}
	if VersionOf("0.0.87").Since(88) || !VersionOf("0.0.88").Since(88) || !VersionOf("0.1.0").Since(111) || VersionOf("0.0.0").Since(1) {
		t.Error("Since does not say when a field came")
	}
}

func TestReadSandboxOfEveryGeneration(t *testing.T) {
	at := time.UnixMilli(1782000000123).UTC()
	full := SandboxMessage{
		ID: "id-1", Name: "alpha", Workspace: "blue", Labels: map[string]string{"team": "red"}, Annotations: map[string]string{"note": "n"},
		Created: at, Phase: 3, Reason: "ContainerExited: exit code 1",
	}
	old, middle := full, full
	old.Workspace, old.Labels, old.Annotations = "", nil, nil
	middle.Workspace, middle.Annotations = "", nil
	versions := map[string]string{"cluster": "0.0.36", "metadata": "0.0.44", "status": "0.0.116", "timestamps": "0.1.4"}
	for name, want := range map[string]SandboxMessage{"cluster": old, "metadata": middle, "status": full, "timestamps": full} {
		for _, version := range []string{versions[name], "0.0.0"} {
			got, err := VersionOf(version).ReadSandbox(golden(t, name))
			if err != nil {
				t.Errorf("%s as %s: %v", name, version, err)
				continue
			}
			spec, err := ReadSpec(got.Spec)
			if err != nil || spec.Image != "img:1" || len(spec.Providers) != 2 || spec.Env["A"] != "1" || len(spec.Env) != 2 || !bytes.Equal(spec.Policy, []byte{8, 1}) {
				t.Errorf("%s: spec %+v, %v", name, spec, err)
			}
			got.Spec = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as %s (-want +got):\n%s", name, version, diff)
			}
		}
	}
}

// What a later version adds to the messages around a spec is passed over.
func TestFutureFieldsAreNoHindrance(t *testing.T) {
	for name, version := range map[string]string{"cluster": "0.0.36", "metadata": "0.0.44", "status": "0.0.116", "timestamps": "0.1.4"} {
		want, err := VersionOf(version).ReadSandbox(golden(t, name))
		if err != nil {
			t.Fatal(err)
		}
		var future, inside builder
		future.text(900, "x")
		future.number(901, 7)
		inside.embed(sandboxMetadata, future)
		inside.embed(sandboxStatus, future)
		message := append(golden(t, name), future...)
		if name != "cluster" {
			message = append(message, inside...)
		}
		got, err := VersionOf(version).ReadSandbox(message)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// Another generation's message is never read as if it were the own one, not even where protobuf itself sees nothing wrong.
func TestWrongGenerationIsAnError(t *testing.T) {
	for name, versions := range map[string][]string{
		"cluster":    {"0.0.37", "0.0.110", "0.1.0"},
		"metadata":   {"0.0.36", "0.0.53", "0.1.0"},
		"status":     {"0.0.36", "0.0.52", "0.1.0"},
		"timestamps": {"0.0.36", "0.0.52", "0.0.116"},
	} {
		for _, version := range versions {
			if got, err := VersionOf(version).ReadSandbox(golden(t, name)); err == nil {
				t.Errorf("%s read as %s is %+v", name, version, got)
			}
		}
	}
}

func TestReadSandboxRefuses(t *testing.T) {
	meta := func(parts ...string) []byte {
		var m, s builder
		for i, part := range parts {
			m.text(protowire.Number(i+1), part)
		}
		s.embed(sandboxMetadata, m)
		return s
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "garbage": {0xff}, "no name": meta("id"), "no id": meta("", "alpha"), "control characters": meta("id", "a\x1b[2J"),
		"not UTF-8": meta("id", "\xff"), "metadata of another type": {0x08, 0x01},
	} {
		for _, version := range []string{"0.0.36", "0.0.110", "0.1.0", ""} {
			if got, err := VersionOf(version).ReadSandbox(b); err == nil {
				t.Errorf("%s as %q is %+v", name, version, got)
			}
		}
	}
}

func TestRequestsAreWhatProtocMakes(t *testing.T) {
	var template, spec builder
	template.text(templateImage, "img:2")
	spec.embed(specTemplate, template)
	c := Creation{Name: "alpha", Spec: spec}
	check := func(name string, got []byte, err error) {
		t.Helper()
		if err != nil || !bytes.Equal(got, golden(t, name)) {
			t.Errorf("%s: %x, %v, want %x", name, got, err, golden(t, name))
		}
	}
	got, err := VersionOf("0.0.36").CreateSandbox(c)
	check("create-cluster", got, err)
	c.Labels = map[string]string{"b": "2", "a": "1"}
	got, err = VersionOf("0.0.52").CreateSandbox(c)
	check("create-metadata", got, err)
	c.Annotations, c.Workspace = map[string]string{"n": "x"}, "blue"
	got, err = VersionOf("0.0.110").CreateSandbox(c)
	check("create-status", got, err)
	got, err = VersionOf("0.1.2").CreateSandbox(c)
	check("create-timestamps", got, err)
	check("list-status", VersionOf("0.0.90").ListSandboxes(Page{Size: 100, Offset: 99, Token: "t"}, "blue"), nil)
	check("list-timestamps", VersionOf("0.1.0").ListSandboxes(Page{Size: 100, Offset: 99, Token: "t"}, ""), nil)
}

func TestDefaultWorkspaceIsSaidOnlySince010(t *testing.T) {
	plain := VersionOf("0.0.80").Named("alpha", DefaultWorkspace)
	for _, version := range []string{"0.0.36", "0.0.88", "0.0.116", "0.0.0"} {
		if got := VersionOf(version).Named("alpha", DefaultWorkspace); !bytes.Equal(got, plain) {
			t.Errorf("%s: %x", version, got)
		}
	}
	if got := VersionOf("0.1.0").Named("alpha", ""); !bytes.Contains(got, []byte(DefaultWorkspace)) {
		t.Errorf("0.1.0: %x", got)
	}
	if got := VersionOf("0.0.0").Named("alpha", "blue"); !bytes.Contains(got, []byte("blue")) {
		t.Errorf("a named workspace is lost where the version is unknown: %x", got)
	}
}
