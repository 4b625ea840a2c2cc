package gateway

import "google.golang.org/protobuf/encoding/protowire"

const (
	varint   = protowire.VarintType
	lengthed = protowire.BytesType
)

// listSchema is ListSandboxesRequest of a version.
func listSchema(version string) schema {
	s := schema{1: {"limit", varint, toLimit}, 2: {"offset", varint, toOffset}}
	if GenerationOf(version) == Timestamps {
		return schema{
			1: {"page_size", varint, toLimit}, 2: {"page_token", lengthed, toToken},
			4: {"workspace_scope", lengthed, toSelector},
		}
	}
	if Since(version, 88) {
		s[4] = slot{"workspace", lengthed, toWorkspace}
	}
	return s
}

// nameSchema is the request of Get-, Delete-, Stop- and StartSandbox, and of everything else that only names something.
func nameSchema(version string) schema {
	s := schema{1: {"name", lengthed, toName}}
	switch {
	case GenerationOf(version) == Timestamps:
		s[2] = slot{"workspace_scope", lengthed, toSelector}
	case Since(version, 88):
		s[2] = slot{"workspace", lengthed, toWorkspace}
	}
	return s
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
	switch {
	case GenerationOf(version) == Timestamps:
		s[7] = slot{"workspace_scope", lengthed, toSelector}
	case Since(version, 88):
		s[5] = slot{"workspace", lengthed, toWorkspace}
	}
	return s
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
