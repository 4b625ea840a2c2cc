package backup

// Names of the files of a backup.
const (
	manifestName  = "manifest.json"
	archiveName   = "archive.tar.zst"
	encryptedName = "archive.tar.zst.age"
)

// gatewayFolder holds the gateways' own state beside the sandboxes' backups; no sandbox may be called so.
const gatewayFolder = "_gateway"

// LabelBeforeRestore is the label of the backups that a restore makes of what it replaces.
const LabelBeforeRestore = "before-restore"
