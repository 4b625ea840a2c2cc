package gateway

import "google.golang.org/protobuf/encoding/protowire"

const (
	varint = protowire.VarintType
	bytes  = protowire.BytesType
)

// listSchema is ListSandboxesRequest of a version.
func listSchema(version string) schema {
	s := schema{1: {"limit", varint, toLimit}, 2: {"offset", varint, toOffset}}
	if GenerationOf(version) == Timestamps {
		return schema{
			1: {"page_size", varint, toLimit}, 2: {"page_token", bytes, toToken},
			4: {"workspace_scope", bytes, toSelector},
		}
	}
	if Since(version, 88) {
		s[4] = slot{"workspace", bytes, toWorkspace}
	}
	return s
}

// nameSchema is the request of Get-, Delete-, Stop- and StartSandbox.
func nameSchema(version string) schema {
	s := schema{1: {"name", bytes, toName}}
	switch {
	case GenerationOf(version) == Timestamps:
		s[2] = slot{"workspace_scope", bytes, toSelector}
	case Since(version, 88):
		s[2] = slot{"workspace", bytes, toWorkspace}
	}
	return s
}

// createSchema is CreateSandboxRequest of a version.
func createSchema(version string) schema {
	s := schema{1: {"spec", bytes, toSpec}, 2: {"name", bytes, toName}}
	if GenerationOf(version) > Cluster {
		s[3] = slot{"labels", bytes, toLabels}
	}
	switch {
	case GenerationOf(version) == Timestamps:
		s[7] = slot{"workspace_scope", bytes, toSelector}
	case Since(version, 88):
		s[5] = slot{"workspace", bytes, toWorkspace}
	}
	return s
}

// execSchema is ExecSandboxRequest: field 1 holds the sandbox id, since 0.1.0 its name; both end up in request.name.
func execSchema(version string) schema {
	s := schema{
		1: {"sandbox_id", bytes, toName}, 2: {"command", bytes, toCommand}, 3: {"workdir", bytes, toWorkdir},
		4: {"environment", bytes, toEnv}, 6: {"stdin", bytes, toStdin},
	}
	if GenerationOf(version) == Timestamps {
		s[1] = slot{"sandbox", bytes, toName}
		s[12] = slot{"workspace_scope", bytes, toSelector}
	}
	return s
}
