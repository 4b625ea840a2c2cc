package backup

// The tests of this file's helpers run on a real engine. Where there is none they are skipped aloud, or fail when
// SANDKEEPER_REQUIRE_DOCKER=1 says that there must be one.
