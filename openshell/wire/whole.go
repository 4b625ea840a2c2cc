package wire

import "fmt"

// Numbers of what belongs to a whole gateway, as the published clients 0.0.116 and 0.1.5 have them.
const (
	gatewaySettings = 1
	updateGlobal    = 6
)

// ListWorkspaces is the request for one page of workspaces.
func (v Version) ListWorkspaces(p Page) []byte { return v.page(p) }

// ReadWorkspaces reads the names of a page of workspaces, and the token of the next page where there is one.
func (v Version) ReadWorkspaces(b []byte) (names []string, next string, err error) {
	return v.readNames("ListWorkspacesResponse", b)
}

// ReadGatewaySettings are the settings of a GetGatewayConfigResponse that have a value, in the order in which they
// came.
func ReadGatewaySettings(b []byte) (settings []Setting, err error) {
	m, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("GetGatewayConfigResponse: %w", err)
	}
	entries, err := m.Contents(gatewaySettings)
	for _, entry := range entries {
		s, err := readGatewaySetting(entry)
		if err != nil {
			return nil, fmt.Errorf("GetGatewayConfigResponse.settings: %w", err)
		}
		if len(s.Value) > 0 { // one without a value was never set
			settings = append(settings, s)
		}
	}

	return settings, err
}

// readGatewaySetting reads an entry of map<string, SettingValue>.
func readGatewaySetting(entry []byte) (s Setting, err error) {
	m, err := Parse(entry)
	if err != nil {
		return s, err
	}
	if s.Key, err = m.Text(1); err != nil {
		return s, err
	}
	s.Value, err = m.Content(2)
	return s, err
}

// SetGatewaySetting is the UpdateConfig request that sets one setting of the whole gateway.
func (v Version) SetGatewaySetting(s Setting) []byte {
	var b builder
	b.text(updateKey, s.Key)
	b.embed(updateValue, s.Value)
	b.number(updateGlobal, 1)
	return b
}
