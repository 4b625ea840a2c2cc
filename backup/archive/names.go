package archive

import "sandkeeper/internal/sandboxname"

// Names of the files of a backup.
const (
	ManifestName  = "manifest.json"
	ArchiveName   = "archive.tar.zst"
	EncryptedName = "archive.tar.zst.age"
	PackName      = "blocks.zst"
	IndexName     = "index.zst"

	EncryptedPackName  = "blocks.zst.age"
	EncryptedIndexName = "index.zst.age"
	NoteName           = "pack.note" // of an encrypted pack

	RetiredFolder = ".packs" // in the folder of a series: what others need of removed backups

	RecipeName          = "recipe.json"
	EncryptedRecipeName = "recipe.json.age"
)

// MigrationFolder holds the sets of migrations beside the sandboxes' backups; no sandbox may be called so.
const MigrationFolder = sandboxname.KeptForSets

// GatewayFolder holds the gateways' own state beside the sandboxes' backups; no sandbox may be called so.
const GatewayFolder = sandboxname.Kept

// LabelBeforeRestore is the label of the backups that a restore makes of what it replaces.
const LabelBeforeRestore = "before-restore"
