package archive

// LayerFingerprint names one state of a home by what the file system keeps of each of its entries: inode, size, mode,
// owner, time of the last write and time of the last change of any kind (ctime, which no program can set). Two equal
// ones mean that nothing was written between them, so that a home need not be read again to know that it is what it
// was.
//
// It is taken of the container's writable layer, and only where that can be relied on:
//
//   - the layer is a folder of this host on ext4, xfs or btrfs, and we may look into it; nothing else is mounted over the home;
//   - no entry was changed within the last two seconds before, for times are kept in ticks, on old file systems of a whole second;
//   - every page that the sandbox had written through a memory mapping was on the disk before it could write again: the next write
//     through the mapping sets the ctime only then (file_update_time in the kernel's page_mkwrite).
//
// Where one of these does not hold there is no standing, and the home is read.
type LayerFingerprint struct {
	Container string `json:"container"` // full id
	Image     string `json:"image"`     // id: what lies under the layer
	Home      string `json:"home"`
	Entries   int    `json:"entries"` // in the layer
	Digest    string `json:"digest"`  // BLAKE3, 128 bits, of all that is looked at
}
