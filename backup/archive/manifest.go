package archive

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Schemas of the manifest: the one of an archive that holds all of its content, its index in the manifest, and that of
// blocks, which other backups may share, with the index in a file of its own. A higher one in a file is refused, not
// guessed at.
const (
	SchemaArchive = 1
	Schema        = 2
)

// Consistency says what the writing processes of the sandbox could do while its home was read.
type Consistency string

// The three ways in which a home is read.
const (
	ConsistencyPaused  Consistency = "paused"  // frozen for the whole read
	ConsistencyStopped Consistency = "stopped" // not running
	ConsistencyLive    Consistency = "live"    // running: files may be from different moments
)

// Way is how a home was read.
type Way string

// The ways to a home. Only the direct one carries extended attributes, access lists, holes, times to the nanosecond and
// paths of any length.
const (
	WayDirect  Way = "direct"  // through the file system that the sandbox sees
	WayEngine  Way = "engine"  // through the container engine
	WayGateway Way = "gateway" // through the sandbox's gateway, by a tar in the sandbox
)

// Manifest is what a backup says about itself: facts that its maker knew (the first half) and what Create measured (the
// second). Times are UTC, sizes bytes. Members this version does not know are kept when a manifest is read and written
// again.
type Manifest struct {
	Schema    int    `json:"schema"`
	ID        string `json:"id"`
	Sandbox   string `json:"sandbox"`
	SandboxID string `json:"sandboxId,omitempty"`
	Gateway   string `json:"gateway,omitempty"`
	Workspace string `json:"workspace,omitempty"` // "" is the default one
	Inventory string `json:"inventory,omitempty"` // which listings it came from: sandbox.Inventory.Source, or "containers"
	Label     string `json:"label,omitempty"`
	Tool      string `json:"tool,omitempty"` // version of the program that wrote it

	Versions      Versions `json:"versions"`
	Image         Image    `json:"image"`
	Agent         string   `json:"agent,omitempty"` // openclaw, hermes, …
	Home          string   `json:"home"`            // what the archive's paths are relative to, as the sandbox sees it
	Container     string   `json:"container,omitempty"`
	Recipe        *Origin  `json:"recipe,omitempty"`
	SkippedChecks []string `json:"skippedChecks,omitempty"`
	// SkipPaths are the patterns of what the operator did not want kept; what they met is in Exclusions.
	SkipPaths []string `json:"skipPaths,omitempty"`

	Launch *Launch `json:"launch,omitempty"` // of a gateway's state: how the gateway was started by hand

	Started           time.Time         `json:"started"`
	Finished          time.Time         `json:"finished"`
	Consistency       Consistency       `json:"consistency"`
	ConsistencyReason string            `json:"consistencyReason,omitempty"`
	Way               Way               `json:"way,omitempty"`       // "" in backups of before the direct way
	WayReason         string            `json:"wayReason,omitempty"` // why it was not the direct one
	Inexact           []Inexact         `json:"inexact,omitempty"`   // nil: the way carries everything, or the backup is older than the count
	Secrets           string            `json:"secrets"`             // SecretsInclude; other words are of backups that do not hold all of a home
	Encryption        *Encryption       `json:"encryption,omitempty"`
	Archive           ArchiveFile       `json:"archive"`
	RecipeFile        *ArchiveFile      `json:"recipeFile,omitempty"` // all that the gateway told of the sandbox; nil: it told nothing
	IndexFile         *ArchiveFile      `json:"indexFile,omitempty"`  // of schema 2
	Blocks            *BlockSums        `json:"blocks,omitempty"`     // likewise
	PackNote          *ArchiveFile      `json:"packNote,omitempty"`   // likewise, of an encrypted one
	Packs             []string          `json:"packs,omitempty"`      // likewise: the ids of the packs of other backups that it needs
	Content           Content           `json:"content"`
	Exclusions        []Exclusion       `json:"exclusions"`
	Parts             []string          `json:"parts,omitempty"`     // of a NemoClaw snapshot: the paths that it holds whole; nil: the home
	Standing          *LayerFingerprint `json:"standing,omitempty"`  // of the home when it was read
	Looked            *Looked           `json:"looked,omitempty"`    // of its files when they were read
	ContentOf         string            `json:"contentOf,omitempty"` // the backup for which these files were read; "": this one

	Objects []Object `json:"objects,omitempty"` // of a copy in a bucket: what it is made of there

	Index *Index `json:"index,omitempty"` // nil in listings, which read the rest only

	extra []member
}

// Versions are the versions that were in play; "" where one was not known.
type Versions struct {
	CLI        string `json:"cli,omitempty"`
	Gateway    string `json:"gateway,omitempty"`
	Supervisor string `json:"supervisor,omitempty"`
	Agent      string `json:"agent,omitempty"`
}

// Image is the image that the sandbox ran from.
type Image struct {
	Reference string `json:"reference,omitempty"` // that was asked for, where its gateway told it; else as the container has it
	Digest    string `json:"digest,omitempty"`    // the engine's id of the image that the container ran from
}

// Origin is what is needed to make the sandbox again. Of the environment only names are kept, never values.
type Origin struct {
	Labels    map[string]string `json:"labels,omitempty"`
	Env       []string          `json:"env,omitempty"`
	Providers []string          `json:"providers,omitempty"`
	Policy    json.RawMessage   `json:"policy,omitempty"`
	// Untold says why what only a gateway can tell, providers and policy, is not in it; "" when the gateway told it, or
	// was not to be asked.
	Untold string `json:"untold,omitempty"`
}

// Launch is a command line without credentials: what it takes to start a gateway again as it was started.
type Launch struct {
	Program string   `json:"program"`
	Args    []string `json:"args,omitempty"`
	Env     []string `json:"env,omitempty"`
	Dir     string   `json:"dir,omitempty"`
}

// Encryption names the public keys (age recipients) that the archive is encrypted to.
type Encryption struct {
	Recipients []string `json:"recipients"`
	StoreKey   string   `json:"storeKey,omitempty"` // the StoreKey.ID of what names its blocks; "" in archives of schema 1
}

// ArchiveFile is the file beside the manifest. SHA256 is over its bytes as they lie on disk, as sha256sum prints it.
type ArchiveFile struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Object is one object of a bucket: a piece of one of a backup's files, sealed by itself. Keys and files are relative
// to the series. SHA256 is as S3 says it: base64; of an object in several parts it is taken over the parts' own, and
// their number follows.
type Object struct {
	Key    string `json:"key"`
	File   string `json:"file"`
	Offset int64  `json:"offset"` // of the piece in the file
	Plain  int64  `json:"plain"`  // length of the piece in the file
	Bytes  int64  `json:"bytes"`  // length of the object
	SHA256 string `json:"sha256"`
}

// Shared reports whether the object is of a pack that another backup brought.
func (o Object) Shared() bool { return strings.HasPrefix(o.File, RetiredFolder+"/") }

// BlockSums says how a backup's stream is made of blocks: of those that were added for it, and of those that were there
// already, in other packs of its series or earlier in its own. Both together are the whole stream.
type BlockSums struct {
	Added       int   `json:"added"`
	AddedBytes  int64 `json:"addedBytes"` // unpacked
	Shared      int   `json:"shared"`
	SharedBytes int64 `json:"sharedBytes"` // unpacked
}

// shareAll is what a backup with the same blocks shares.
func (s *BlockSums) shareAll() *BlockSums {
	return &BlockSums{Shared: s.Added + s.Shared, SharedBytes: s.AddedBytes + s.SharedBytes}
}

// CheckFiles refuses a manifest that names other files than those of a backup.
func (m *Manifest) CheckFiles() error {
	archives, index := []string{ArchiveName, EncryptedName}, ""
	switch {
	case m.Sealed():
		archives, index = []string{EncryptedName, EncryptedPackName}, EncryptedIndexName
	case m.IndexFile != nil:
		archives, index = []string{ArchiveName, PackName}, IndexName
	}

	if !slices.Contains(archives, m.Archive.File) {
		return Damagef(DamageManifest, ManifestName, "it names the archive %q", m.Archive.File)
	}
	if m.IndexFile != nil && m.IndexFile.File != index {
		return Damagef(DamageManifest, ManifestName, "it names the index %q", m.IndexFile.File)
	}
	if m.Sealed() != (m.PackNote != nil) || m.PackNote != nil && m.PackNote.File != NoteName {
		return Damagef(DamageManifest, ManifestName, "it does not name the note of its pack")
	}
	return nil
}

// Sealed reports whether the backup is of encrypted blocks: without a key that opens it, its index is not known.
func (m *Manifest) Sealed() bool { return m.Encryption != nil && m.IndexFile != nil }

// InventorySnapshot is the Inventory of a backup that was made of a NemoClaw snapshot.
const InventorySnapshot = "nemoclaw-snapshot"

// Snapshot reports whether the backup was made of a NemoClaw snapshot: parts of a home, of which nobody knows the
// owners, without the credentials that NemoClaw takes out.
func (m *Manifest) Snapshot() bool { return m.Inventory == InventorySnapshot }

// SelfContained reports whether the archive alone holds all of the content.
func (m *Manifest) SelfContained() bool {
	return m.Archive.File != PackName && m.Archive.File != EncryptedPackName
}

// Hide replaces what was left out by how much of each kind: a manifest that anybody can read has no paths of an
// encrypted backup.
func (m *Manifest) Hide() {
	counts := map[string]int{}
	for _, x := range m.Exclusions {
		counts[x.Kind]++
	}
	m.Exclusions = []Exclusion{}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		m.Exclusions = append(m.Exclusions, Exclusion{Kind: kind, Reason: fmt.Sprintf("%d of this kind; which, only the encrypted index says", counts[kind])})
	}
}

// Content sums up the archive. Digest is the same for the same content; it is empty in encrypted backups, where it
// would let a reader of the manifest test guesses.
type Content struct {
	Entries int    `json:"entries"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"` // of file contents
	Digest  string `json:"digest,omitempty"`
}

// Kinds of exclusions.
const (
	LeftOutCredential = "credential" // a credential file, or a file that holds a credential
	LeftOutRedacted   = "redacted"   // kept, with credentials replaced: restoring it does not bring them back
	LeftOutSpecial    = "special"    // device, pipe, socket
	LeftOutSkipped    = "skipped"    // the operator did not want it kept
	LeftOutOther      = "other"
)

// Exclusion is one path of the home that is not, or not unchanged, in the archive. Reason never holds a secret's value.
type Exclusion struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

// Index lists the entries in the order of the archive, and what the archive is made of, in order: frames, or runs of
// blocks.
type Index struct {
	Frames  []Frame `json:"frames"`
	Entries []Entry `json:"entries"` // of schema 1; Each gives those of either
	Runs    []Run   `json:"-"`       // of schema 2, as is what follows

	Key        *StoreKey   `json:"-"` // of an encrypted backup: what names its blocks
	Digest     string      `json:"-"` // of an encrypted backup's content
	Exclusions []Exclusion `json:"-"` // of an encrypted backup

	packed []byte // the entries, as they lie in a file of their own
}

// Frame is one independent zstd frame: Raw bytes of the tar stream in Size bytes of the archive. The digests are
// BLAKE3, 128 bits: Packed of the bytes in the archive, Digest of the stream as streamDigest takes it. Both are empty
// in encrypted backups.
type Frame struct {
	Raw    int64  `json:"raw"`
	Size   int64  `json:"size"`
	Digest string `json:"digest,omitempty"`
	Packed string `json:"packed,omitempty"`
}

// Entry is one entry of the archive. Type is "file", "dir", "symlink" or "link" (a hard link to Link).
// Digest is BLAKE3, 128 bits, of a file's bytes; empty in encrypted backups.
type Entry struct {
	Path   string `json:"path"`
	Raw    []byte `json:"rawPath,omitempty"` // the name's bytes where they are not UTF-8
	Type   string `json:"type"`
	Size   int64  `json:"size,omitempty"`
	Mode   int64  `json:"mode"`
	Link   string `json:"link,omitempty"`
	Digest string `json:"digest,omitempty"`

	Witness *Witness `json:"seen,omitempty"` // of a file that was read in the file system, for the next backup
}

// Name is the entry's path in the archive, byte for byte.
func (e Entry) Name() string {
	if e.Raw != nil {
		return string(e.Raw)
	}
	return e.Path
}

// What a backup's manifest says of credentials.
const (
	SecretsInclude  = "include"  // the home is whole, credentials included
	SecretsExclude  = "exclude"  // of version 1, which left credentials out
	SecretsScrubbed = "scrubbed" // of "backups export --scrub": what was taken out is among the exclusions
)
