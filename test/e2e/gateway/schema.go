package gateway

import "google.golang.org/protobuf/encoding/protowire"

const (
	varint   = protowire.VarintType
	lengthed = protowire.BytesType
)

// scoped adds the workspace, in the field of that number: a name since 0.0.88, a selector since 0.1.0.
func (s schema) scoped(version string, number protowire.Number) schema {
	switch {
	case GenerationOf(version) == Timestamps:
		s[number] = slot{"workspace_scope", lengthed, toSelector}
	case Since(version, 88):
		s[number] = slot{"workspace", lengthed, toWorkspace}
	}
	return s
}

// listSchema is ListSandboxesRequest of a version, with workspace 4, and ListProvidersRequest, with workspace 3.
func listSchema(version string, workspace protowire.Number) schema {
	s := schema{1: {"limit", varint, toLimit}, 2: {"offset", varint, toOffset}}
	switch {
	case GenerationOf(version) == Timestamps:
		s = schema{1: {"page_size", varint, toLimit}, 2: {"page_token", lengthed, toToken}}
	case Since(version, 88):
		s[workspace+1] = slot{"all_workspaces", varint, toAllWorkspaces}
	}
	return s.scoped(version, workspace)
}

// nameSchema is the request of Get-, Delete-, Stop- and StartSandbox, and of everything else that only names something.
func nameSchema(version string) schema {
	return schema{1: {"name", lengthed, toName}}.scoped(version, 2)
}

// createSchema is CreateSandboxRequest of a version.
func createSchema(version string) schema {
	s := schema{1: {"spec", lengthed, toSpec}, 2: {"name", lengthed, toName}}
	if GenerationOf(version) > Cluster {
		s[3] = slot{"labels", lengthed, toLabels}
	}
	if Since(version, 84) {
		s[4] = slot{"annotations", lengthed, toAnnotations}
	}
	if GenerationOf(version) == Timestamps {
		return s.scoped(version, 7)
	}
	return s.scoped(version, 5)
}

// execSchema is ExecSandboxRequest: field 1 holds the sandbox id, since 0.1.0 its name; both end up in request.name.
func execSchema(version string) schema {
	s := schema{
		1: {"sandbox_id", lengthed, toName}, 2: {"command", lengthed, toCommand}, 3: {"workdir", lengthed, toWorkdir},
		4: {"environment", lengthed, toEnv}, 6: {"stdin", lengthed, toStdin},
	}
	if GenerationOf(version) == Timestamps {
		s[1] = slot{"sandbox", lengthed, toName}
		s[12] = slot{"workspace_scope", lengthed, toSelector}
	}
	return s
}
