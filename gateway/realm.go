package gateway

// Realm says where a process lives: in this host's own namespaces, in a container's, or where this user may not look.
type Realm struct {
	Kind RealmKind
	Why  string // for Foreign: what is not ours; for Unseen: what was in the way
	// Container is the full id of the container that a foreign process belongs to; "" when its control group does not
	// tell.
	Container string
	// Unit is the systemd service whose control group holds a process of this host, and UserUnit whether it is the
	// user's own; "" when none does.
	Unit     string
	UserUnit bool
}

// RealmKind is the answer to "is this process one of our host?".
type RealmKind string

// The realms of a process.
const (
	Ours    RealmKind = "ours"
	Foreign RealmKind = "foreign" // a container's, or that of another sandbox: never executed, and never told to be restarted by a path
	Unseen  RealmKind = "unseen"  // neither foreign nor ours
)
