package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Health is the answer of the Health RPC, the same in every generation.
type Health struct {
	Status  string // "healthy", "degraded", "unhealthy" or "unspecified"
	Version string
}

// ReadHealth reads a HealthResponse.
func ReadHealth(b []byte) (Health, error) {
	m, err := Parse(b)
	if err != nil {
		return Health{}, fmt.Errorf("HealthResponse: %w", err)
	}
	status, err := m.Number(healthStatus)
	if err != nil {
		return Health{}, fmt.Errorf("HealthResponse.status: %w", err)
	}
	version, err := m.Text(healthText)
	if err != nil {
		return Health{}, fmt.Errorf("HealthResponse.version: %w", err)
	}
	words := [...]string{"unspecified", "healthy", "degraded", "unhealthy"}
	if status >= uint64(len(words)) {
		status = 0
	}
	return Health{Status: words[status], Version: version}, nil
}

// ReadDrivers reads the names of the compute drivers out of a GetGatewayInfoResponse.
func ReadDrivers(b []byte) ([]string, error) {
	items, _, err := readPage("GetGatewayInfoResponse", b, infoDrivers)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, item := range items {
		m, err := Parse(item)
		if err != nil {
			return nil, fmt.Errorf("GetGatewayInfoResponse.compute_drivers: %w", err)
		}
		name, err := m.Text(driverName)
		if err != nil {
			return nil, fmt.Errorf("GetGatewayInfoResponse.compute_drivers: name: %w", err)
		}
		names = append(names, name)
	}

	return names, nil
}

// ReadSandboxes reads a page of sandboxes, and the token of the next page where there is one.
func (v Version) ReadSandboxes(b []byte) (page []SandboxMessage, next string, err error) {
	items, next, err := readPage("ListSandboxesResponse", b, pageItems)
	if err != nil {
		return nil, "", err
	}
	for _, item := range items {
		s, err := v.ReadSandbox(item)
		if err != nil {
			return nil, "", fmt.Errorf("ListSandboxesResponse.sandboxes: %w", err)
		}
		page = append(page, s)
	}
	return page, next, nil
}

// ReadProviders reads the names of a page of providers, and the token of the next page where there is one.
func (v Version) ReadProviders(b []byte) (names []string, next string, err error) {
	return v.readNames("ListProvidersResponse", b)
}

// readNames reads the names of a page of what has metadata and is otherwise of no interest.
func (v Version) readNames(message string, b []byte) (names []string, next string, err error) {
	items, next, err := readPage(message, b, pageItems)
	if err != nil {
		return nil, "", err
	}
	for _, item := range items {
		_, name, err := v.identity(item)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", message, err)
		}
		names = append(names, name)
	}
	return names, next, nil
}

func readPage(name string, b []byte, items protowire.Number) ([][]byte, string, error) {
	m, err := Parse(b)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	all, err := m.Contents(items)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	if items != pageItems {
		return all, "", nil
	}
	next, err := m.Text(pageNext)
	if err != nil {
		return nil, "", fmt.Errorf("%s.next_page_token: %w", name, err)
	}
	return all, next, nil
}

// ReadSandboxResponse reads the answer of GetSandbox and CreateSandbox.
func (v Version) ReadSandboxResponse(b []byte) (SandboxMessage, error) {
	m, err := Parse(b)
	if err != nil {
		return SandboxMessage{}, fmt.Errorf("SandboxResponse: %w", err)
	}
	content, err := m.Content(responseSandbox)
	if err != nil {
		return SandboxMessage{}, fmt.Errorf("SandboxResponse.sandbox: %w", err)
	}
	s, err := v.ReadSandbox(content)
	if err != nil {
		return SandboxMessage{}, fmt.Errorf("SandboxResponse.sandbox: %w", err)
	}
	return s, nil
}

// Deletion is what a gateway says that it did about a deletion.
type Deletion int

// The deletions. None of them proves that the sandbox is gone: look.
const (
	DeletionUnsaid Deletion = iota // another generation's answer
	Deleted
	DeletionAccepted // 0.1.x: it is being deleted
	AlreadyAbsent    // there was nothing; before 0.1.0, a record without a container, now removed
)

// ReadDeletion reads a DeleteSandboxResponse.
func (v Version) ReadDeletion(b []byte) (Deletion, error) {
	m, err := Parse(b)
	if err != nil {
		return DeletionUnsaid, fmt.Errorf("DeleteSandboxResponse: %w", err)
	}
	if v.Generation == Timestamps {
		outcome, err := m.Number(deletedOutcome)
		if err != nil || outcome > uint64(AlreadyAbsent) {
			return DeletionUnsaid, err
		}
		return Deletion(outcome), nil
	}

	deleted, err := m.Number(deletedFlag)
	switch {
	case err != nil:
		return DeletionUnsaid, fmt.Errorf("DeleteSandboxResponse.deleted: %w", err)
	case deleted == 0:
		return AlreadyAbsent, nil
	}

	return Deleted, nil
}
