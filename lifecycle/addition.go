package lifecycle

import "slices"

// in reports whether the request has exactly this addition, and whether it has anything in its place.
func (a Addition) in(r Request) (same, taken bool) {
	if a.Kind == "mount" {
		i := slices.IndexFunc(r.Mounts, func(m Mount) bool { return m.Target == a.Key })
		return i >= 0 && r.Mounts[i] == *a.Mount, i >= 0
	}
	value, taken := (*a.values(&r))[a.Key]
	return taken && value == a.Value, taken
}

// Without is the request without these additions, where they are still as they were added.
func (r Request) Without(additions []Addition) Request {
	r = r.clone()
	for _, addition := range additions {
		addition.withdraw(&r)
	}
	return r
}

// apply puts the addition into the request.
func (a Addition) apply(r *Request) {
	if a.Kind == "mount" {
		r.Mounts = append(r.Mounts, *a.Mount)
		return
	}
	values := a.values(r)
	if *values == nil {
		*values = map[string]string{}
	}
	(*values)[a.Key] = a.Value
}

// withdraw takes the addition out of the request again, if it is still there as it was added.
func (a Addition) withdraw(r *Request) {
	if same, _ := a.in(*r); !same {
		return
	}
	if a.Kind == "mount" {
		r.Mounts = slices.DeleteFunc(r.Mounts, func(m Mount) bool { return m == *a.Mount })
		return
	}
	delete(*a.values(r), a.Key)
}

func (a Addition) values(r *Request) *map[string]string {
	switch a.Kind {
	case "env":
		return &r.Env
	case "label":
		return &r.Labels
	default:
		return &r.Annotations
	}
}
