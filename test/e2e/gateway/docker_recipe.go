package gateway

import (
	"maps"
	"slices"

	"github.com/docker/docker/api/types/mount"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// recipe is what a container needs of a SandboxSpec.
type recipe struct {
	image       string
	environment map[string]string // the template's, with the spec's over it
	labels      map[string]string
	mounts      []mount.Mount
}

// recipeOf reads environment5, template6{ image1, labels4, environment6, driver_config11 }.
func recipeOf(spec []byte) (recipe, error) {
	r := recipe{labels: map[string]string{}}
	fields, err := decode(spec)
	if err != nil {
		return r, err
	}
	var values map[string]string
	for _, f := range fields {
		switch f.number {
		case 5:
			err = toPair(&values, f)
		case 6:
			err = r.template(f.bytes)
		}
		if err != nil {
			return r, err
		}
	}

	if r.environment == nil {
		r.environment = map[string]string{}
	}
	maps.Copy(r.environment, values)
	return r, nil
}

func (r *recipe) template(b []byte) error {
	fields, err := decode(b)
	if err != nil {
		return err
	}
	for _, f := range fields {
		switch f.number {
		case 1:
			r.image = string(f.bytes)
		case 4:
			err = toPair(&r.labels, f)
		case 6:
			err = toPair(&r.environment, f)
		case 11:
			r.mounts, err = mountsOf(f.bytes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// binds are the bind mounts as the engine's short form, which the driver uses for them.
func (r recipe) binds() (all []string) {
	for _, m := range r.mounts {
		switch {
		case m.Type != mount.TypeBind:
		case m.ReadOnly:
			all = append(all, m.Source+":"+m.Target+":ro")
		default:
			all = append(all, m.Source+":"+m.Target)
		}
	}
	return all
}

func (r recipe) otherMounts() []mount.Mount {
	return slices.DeleteFunc(slices.Clone(r.mounts), func(m mount.Mount) bool { return m.Type == mount.TypeBind })
}

// mountsOf are the mounts of a driver_config:
// {"docker":{"mounts":[{"type":"bind","source":…,"target":…,"read_only":…}]}}. What is for another driver is not for
// this one.
func mountsOf(config []byte) (mounts []mount.Mount, err error) {
	var all structpb.Struct
	if err := proto.Unmarshal(config, &all); err != nil {
		return nil, err
	}
	docker := all.GetFields()["docker"].GetStructValue()
	for _, value := range docker.GetFields()["mounts"].GetListValue().GetValues() {
		m := value.GetStructValue().GetFields()
		readOnly, said := m["read_only"].GetKind().(*structpb.Value_BoolValue)
		mounts = append(mounts, mount.Mount{
			Type: mount.Type(m["type"].GetStringValue()), Source: m["source"].GetStringValue(), Target: m["target"].GetStringValue(),
			ReadOnly: !said || readOnly.BoolValue,
		})
	}

	return mounts, nil
}
