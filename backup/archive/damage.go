package archive

import "fmt"

// DamageKind says in what way a backup is not what its manifest promises.
type DamageKind string

// The kinds of damage, stable words for scripts.
const (
	DamageManifest       DamageKind = "manifest"          // not readable, or not of this backup
	DamageSeal           DamageKind = "manifest-seal"     // bytes of the manifest were changed
	DamageArchiveMissing DamageKind = "archive-missing"   //
	DamageTruncated      DamageKind = "archive-truncated" // shorter than promised
	DamageExtended       DamageKind = "archive-extended"  // longer than promised
	DamageDigest         DamageKind = "archive-digest"    // same length, other bytes
	DamageFrame          DamageKind = "frame"             // one compressed frame cannot be decoded, or to other bytes
	DamageEntry          DamageKind = "entry"             // one entry has other bytes, size, mode or type
	DamageIndex          DamageKind = "index"             // entries are missing, extra or in another order
	DamageContent        DamageKind = "content"           // counts or content digest differ
	DamageRecipe         DamageKind = "recipe"            // the file with the recipe is missing, or has other bytes
	DamageTable          DamageKind = "table"             // a pack does not say which blocks it has
	DamageSwapped        DamageKind = "swapped"           // the folder holds another backup's manifest
)

// DamageError says that a backup is damaged: in what way, and which object (a file, frame or entry of it).
type DamageError struct {
	Kind   DamageKind
	Object string
	Err    error // what was seen
}

// Error names the object, the kind and what was seen.
func (e *DamageError) Error() string {
	object := e.Object
	if object == "" {
		object = ManifestName
	}
	if e.Err == nil {
		return fmt.Sprintf("%s is damaged (%s)", object, e.Kind)
	}
	return fmt.Sprintf("%s is damaged (%s): %v", object, e.Kind, e.Err)
}

// Unwrap gives what was seen.
func (e *DamageError) Unwrap() error { return e.Err }

// Damagef is a DamageError of that kind, with what was seen of the object.
func Damagef(kind DamageKind, object, format string, args ...any) *DamageError {
	return &DamageError{Kind: kind, Object: object, Err: fmt.Errorf(format, args...)}
}
