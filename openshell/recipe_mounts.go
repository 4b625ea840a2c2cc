package openshell

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"sandkeeper/openshell/wire"
)

// Mount makes Source, an absolute path on the gateway's host or the name of a volume, visible at Target in the sandbox.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// A driver configuration is an object keyed by compute driver, and docker and podman know mounts in it (OpenShell's
// gateway configuration reference):
// {"docker":{"mounts":[{"type":"bind","source":"/srv","target":"/data","read_only":false}]}}. read_only is true by
// default, and the gateway allows binds only with enable_bind_mounts.
const (
	configMounts   = "mounts"
	configType     = "type"
	configSource   = "source"
	configTarget   = "target"
	configReadOnly = "read_only"
)

// readMounts are the binds and volumes of a driver configuration, of whichever driver.
func readMounts(config []byte) ([]Mount, error) {
	var all structpb.Struct
	if err := proto.Unmarshal(config, &all); err != nil {
		return nil, fmt.Errorf("SandboxTemplate.driver_config: %w", err)
	}
	var mounts []Mount
	for _, driver := range slices.Sorted(maps.Keys(all.GetFields())) {
		for _, value := range all.GetFields()[driver].GetStructValue().GetFields()[configMounts].GetListValue().GetValues() {
			mounts = append(mounts, mountOf(value.GetStructValue().GetFields()))
		}
	}

	return mounts, nil
}

func mountOf(fields map[string]*structpb.Value) Mount {
	readOnly := true
	if said, ok := fields[configReadOnly].GetKind().(*structpb.Value_BoolValue); ok {
		readOnly = said.BoolValue
	}
	return Mount{Source: fields[configSource].GetStringValue(), Target: fields[configTarget].GetStringValue(), ReadOnly: readOnly}
}

// withMounts adds mounts to the spec's driver configuration. One that is there already is not added again; another at
// the same target is an error.
func withMounts(spec []byte, driver string, mounts []Mount) ([]byte, error) {
	if driver != "docker" && driver != "podman" {
		return nil, &InexpressibleError{What: "a mount", Version: "compute driver " + driver, Spoken: "docker and podman"}
	}
	return editConfig(spec, func(all *structpb.Struct) error {
		list, err := mountList(all, driver)
		if err != nil {
			return err
		}
		for _, mount := range mounts {
			if err := addMount(list, mount); err != nil {
				return err
			}
		}
		return nil
	})
}

// withoutMounts takes mounts out of the spec's driver configuration, and what is empty without them.
func withoutMounts(spec []byte, mounts []Mount) ([]byte, error) {
	return editConfig(spec, func(all *structpb.Struct) error {
		for driver, value := range all.GetFields() {
			config := value.GetStructValue()
			list := config.GetFields()[configMounts].GetListValue()
			if list == nil {
				continue
			}
			list.Values = slices.DeleteFunc(list.Values, func(v *structpb.Value) bool {
				return slices.Contains(mounts, mountOf(v.GetStructValue().GetFields()))
			})
			if len(list.Values) == 0 {
				delete(config.Fields, configMounts)
			}
			if len(config.Fields) == 0 {
				delete(all.Fields, driver)
			}
		}
		return nil
	})
}

// editConfig is the spec with a changed driver configuration; without any when nothing is left in it.
func editConfig(spec []byte, edit func(all *structpb.Struct) error) ([]byte, error) {
	read, err := wire.ReadSpec(spec)
	if err != nil {
		return nil, err
	}
	var all structpb.Struct
	if err := proto.Unmarshal(read.DriverConfig, &all); err != nil {
		return nil, fmt.Errorf("SandboxTemplate.driver_config: %w", err)
	}
	if err := edit(&all); err != nil {
		return nil, err
	}
	config, err := proto.MarshalOptions{Deterministic: true}.Marshal(&all)
	if err != nil {
		return nil, fmt.Errorf("SandboxTemplate.driver_config: %w", err)
	}
	return wire.WithDriverConfig(spec, config)
}

// mountList is the driver's list of mounts within the configuration, made where there is none.
func mountList(all *structpb.Struct, driver string) (*structpb.ListValue, error) {
	if all.Fields == nil {
		all.Fields = map[string]*structpb.Value{}
	}
	if all.Fields[driver] == nil {
		all.Fields[driver] = structpb.NewStructValue(&structpb.Struct{})
	}
	config := all.Fields[driver].GetStructValue()
	if config == nil {
		return nil, errors.New("SandboxTemplate.driver_config: the driver's part is not an object")
	}
	if config.Fields == nil {
		config.Fields = map[string]*structpb.Value{}
	}
	if config.Fields[configMounts] == nil {
		config.Fields[configMounts] = structpb.NewListValue(&structpb.ListValue{})
	}
	list := config.Fields[configMounts].GetListValue()
	if list == nil {
		return nil, errors.New("SandboxTemplate.driver_config: its mounts are not a list")
	}
	return list, nil
}

func addMount(list *structpb.ListValue, mount Mount) error {
	for _, value := range list.GetValues() {
		switch there := mountOf(value.GetStructValue().GetFields()); {
		case there == mount:
			return nil
		case there.Target == mount.Target:
			return fmt.Errorf("the recipe mounts %q at %q already", there.Source, there.Target)
		}
	}

	kind := "volume"
	if path.IsAbs(mount.Source) {
		kind = "bind"
	}
	list.Values = append(list.Values, structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
		configType: structpb.NewStringValue(kind), configSource: structpb.NewStringValue(mount.Source),
		configTarget: structpb.NewStringValue(mount.Target), configReadOnly: structpb.NewBoolValue(mount.ReadOnly),
	}}))
	return nil
}
