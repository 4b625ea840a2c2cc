package gateway

import "strings"

// The database of OpenShell 0.0.110 (testdata/recordings/openshell-0.0.110/schema.sql, database.txt): one table for
// everything, and the migrations that made it.

const schemaOfStore = `
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
CREATE TABLE objects (
    id            TEXT PRIMARY KEY,
    object_type   TEXT NOT NULL,
    name          TEXT,
    scope         TEXT,
    version       INTEGER,
    status        TEXT,
    dedup_key     TEXT,
    hit_count     INTEGER NOT NULL DEFAULT 0,
    payload       BLOB NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL
, labels TEXT, resource_version INTEGER NOT NULL DEFAULT 1, workspace TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX objects_version_uq
    ON objects (object_type, scope, version)
    WHERE scope IS NOT NULL AND version IS NOT NULL;
CREATE INDEX objects_scope_status_idx
    ON objects (object_type, scope, status, version)
    WHERE scope IS NOT NULL;
CREATE UNIQUE INDEX objects_dedup_uq
    ON objects (object_type, scope, dedup_key)
    WHERE dedup_key IS NOT NULL;
CREATE UNIQUE INDEX objects_name_uq
    ON objects (object_type, workspace, name)
    WHERE name IS NOT NULL;
`

type migration struct {
	version     int
	description string
	checksum    string // in hex
}

// migrations are those of a version. Of 0.1.x the checksums were not seen, and not what became of number 8.
func migrations(version string) []migration {
	all := []migration{
		{1, "create objects", "467971FE0C8BD49D7C94DE32896E763848DB7BD51C5F16D66BA9DBC1E222E1A6B3CF886677BBB03856851915C1CEF34E"},
		{4, "add object metadata", "9362B268340C36C56AAFC64B75684AB08912513D69775F2BA35A0C7F519E397C359992D3B15200402B5316F48C422CAE"},
		{5, "add resource version", "CD1CF2B4C23725C748438F7C2C236C1A19B4D22CC1295B62D3A4AECD1785DB0DE5FD91AA866279B381175C4FB69D7396"},
		{6, "add workspace column", "E0963F674B79E65D6FE08B375E5E393C2472E9207B878B09D92EBB4988C6CEF997CF7149FFDF732D59D9343ABF56ADA9"},
	}
	if GenerationOf(version) == Timestamps {
		unseen := strings.Repeat("00", 48)
		all = append(all, migration{7, "remove inference routes", unseen}, migration{9, "allocation claims", unseen})
	}
	return all
}
