package cmd

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/spf13/pflag"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/bucket"
	"sandkeeper/backup/store"
	"sandkeeper/internal/disk"
	"sandkeeper/internal/private"
	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
)

// bucketOptions say which bucket is meant, and under which name a host keeps its backups there.
type bucketOptions struct {
	address string
	host    string
}

// byHand marks a flag that counts only on the command line: a setting of the nightly run must not make "backups list"
// list something else.
const byHand = "by-hand"

// addReadFlags adds the flags of a command that reads a bucket instead of the backup folder.
func (o *bucketOptions) addReadFlags(f *pflag.FlagSet) {
	o.addFlags(f, "the backups in this bucket (s3://bucket/prefix) instead of those in the backup folder; only on the command line")
	_ = f.SetAnnotation("store", byHand, []string{"true"}) // refused only for a flag that is not there
}

func (o *bucketOptions) addFlags(f *pflag.FlagSet, what string) {
	f.StringVar(&o.address, "store", "", what)
	f.StringVar(&o.host, "store-host", "", "the name under which a host keeps its backups in the bucket (default: that of this host)")
}

// check refuses what is no bucket before anything else is asked for it: a folder has a flag of its own.
func (o bucketOptions) check() error {
	_, _, err := bucket.Parse(o.address)
	switch {
	case o.address == "":
		return usage("give --store s3://bucket/prefix", "which bucket? --store is missing")
	case err != nil && !strings.Contains(o.address, "://"):
		return usage("--store is for a bucket, s3://bucket/prefix; a folder is for --backup-dir", "--store: %w", err)
	case err != nil:
		return usage("give --store s3://bucket/prefix", "--store: %w", err)
	}
	return nil
}

// sealOptions say how backups are written to a bucket.
type sealOptions struct {
	sealTo     []string
	retainDays int
	retainMode string
}

func (o *sealOptions) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.sealTo, "seal-to", nil, "encrypt what goes into the bucket to these age recipients")
	f.IntVar(&o.retainDays, "retain-days", 0, "lock what a backup uses in the bucket for so many days; 0 leaves it to the bucket")
	choiceVar(f, &o.retainMode, "retain-mode", []string{bucket.Governance, bucket.Compliance}, "who can lift the lock: whoever has the right to, or nobody")
}

// outgoing says where backups are brought, and how.
type outgoing struct {
	bucketOptions
	sealOptions
	lockWait time.Duration

	inventory sandbox.Inventory // what is on this host, where complete
	complete  bool
}

// options are those of a bucket that is written to.
func (o *sealOptions) options(to bucketOptions) (bucket.Options, error) {
	if err := to.check(); err != nil {
		return bucket.Options{}, err
	}
	if len(o.sealTo) == 0 {
		return bucket.Options{}, usage("add --seal-to RECIPIENT: age-keygen -o key.txt makes a key and prints its public half; keep key.txt off this host, nothing in the bucket can be read without it",
			"%w", bucket.ErrNoRecipients)
	}
	if err := archive.CheckRecipients(o.sealTo); err != nil {
		return bucket.Options{}, usage("give public keys that age-keygen printed (age1…)", "--seal-to: %w", err)
	}
	if o.retainDays < 0 {
		return bucket.Options{}, usage("give a number of days", "--retain-days must not be negative")
	}
	return bucket.Options{
		Recipients: o.sealTo, Retain: bucket.Retention{Mode: o.retainMode, For: time.Duration(o.retainDays) * 24 * time.Hour},
	}, nil
}

// bucket names the place of a host in a bucket; nothing is asked of its server yet.
func (s *stores) bucket(o bucketOptions, with bucket.Options) (*bucket.Bucket, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	name, err := os.Hostname()
	if o.host == "" && err != nil {
		return nil, usage("give --store-host NAME", "this host has no name: %w", err)
	}
	with.Host, with.Tool, with.Warn = cmp.Or(o.host, name), version().Version, func(text string) { s.term.warn("%s", text) }
	b, err := bucket.Open(o.address, with)
	if err != nil {
		return nil, usage("give --store s3://bucket/prefix, and --store-host NAME where the name of this host will not do", "%w", err)
	}
	return b, nil
}

// offHost is a bucket as a command looks at it: a store on this host that shows what is there, and into which the
// content of a backup is brought when it is needed.
type offHost struct {
	*bucket.View
	bucket     *bucket.Bucket
	identities archive.Identities
	held       *os.File
	noted      bool // the bucket keeps which of its objects were found damaged
}

// source is the store that a reading command is about: the backup folder, or what a bucket shows; off is nil for
// the folder. It is closed in any case.
func (s *stores) source(ctx context.Context, o storeOptions, identity string) (st *store.Store, off *offHost, err error) {
	if o.bucket.address == "" {
		st, err = s.open(o)
		return st, nil, err
	}
	identities, err := readIdentities(identity)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.bucket(o.bucket, bucket.Options{Identities: identities})
	if err != nil {
		return nil, nil, err
	}
	off = &offHost{bucket: b, identities: identities}
	if st, err = s.show(ctx, o, off); err != nil {
		return nil, nil, errors.Join(err, off.close())
	}
	if !off.Empty() {
		return st, off, nil
	}
	err = s.nobody(ctx, b)
	return nil, nil, errors.Join(err, off.close())
}

// show makes the store in which off is seen. Its folder is beside the backups, for there is room for them, and is the
// same in every run, so that a run which goes on with a killed one's work finds what it looks for.
func (s *stores) show(ctx context.Context, o storeOptions, off *offHost) (*store.Store, error) {
	root, err := s.root(o.dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	if err := private.Local(root); err != nil {
		return nil, usage("give a --backup-dir on a disk of this host", "what is brought from the bucket is opened below %s, and would leave this host in plain text: %w", root, err)
	}
	s.term.orWarn(sweepFetched(root))
	sum := sha256.Sum256([]byte(off.bucket.Address()))
	dir := filepath.Join(root, fetchedPrefix+hex.EncodeToString(sum[:4]))
	held, err := holdFetched(dir)
	if errors.Is(err, disk.ErrHeld) {
		return nil, &store.LockedError{Path: dir}
	}
	if err != nil {
		return nil, err
	}
	off.held, off.View = held, &bucket.View{Root: dir}
	if err := off.empty(); err != nil { // what a killed run has left
		return nil, err
	}
	if off.View, err = off.bucket.View(ctx, dir); err != nil {
		off.View = &bucket.View{Root: dir}
		return nil, err
	}
	return store.Open(dir, store.Options{Tool: version().Version, UID: s.term.UID})
}

// nobody says that a host has nothing in a bucket, and who has.
func (s *stores) nobody(ctx context.Context, b *bucket.Bucket) error {
	hosts, err := b.Hosts(ctx)
	if err != nil {
		return err
	}
	f := notFound("there is no backup in %s", b.Address())
	f.Hint = fmt.Sprintf("sandkeeper backups sync --store %s brings those of this host there", text.ShellWord(b.Fleet()))
	if len(hosts) > 0 {
		f.Hint = fmt.Sprintf("add --store-host with one of the names that are there: %s", joinWords(hosts))
	}
	return f
}

// joinWords is a list for people, cut where it gets long.
func joinWords(words []string) string {
	const shown = 20
	text, more := "", ""
	if len(words) > shown {
		words, more = words[:shown], fmt.Sprintf(" and %d more", len(words)-shown)
	}
	for i, word := range words {
		if i > 0 {
			text += ", "
		}
		text += word
	}

	return text + more
}

// empty removes what is in the folder.
func (o *offHost) empty() error {
	entries, err := os.ReadDir(o.Root)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(o.Root, e.Name())))
	}
	return err
}

// close takes away what was brought here, which is in plain text.
func (o *offHost) close() error {
	if o == nil || o.held == nil {
		return nil
	}
	return errors.Join(o.empty(), os.Remove(o.Root), o.held.Close())
}

// bring gives b with its content on this host: from the bucket, or, without one, as it is.
func (o *offHost) bring(ctx context.Context, st *store.Store, b store.Backup) (store.Backup, error) {
	if o == nil {
		return b, nil
	}
	if b.Damage != nil {
		return b, b.Damage
	}
	if err := o.Fetch(ctx, b); err != nil {
		return b, fmt.Errorf("bring backup %s of %q from %s: %w", b.ID, b.Series().Address(), o.bucket.Address(), err)
	}
	return st.Find(b.Sandbox, b.ID)
}

// missing says of a backup that is not in the bucket where it is looked for: there, and not in the backup folder.
func (o *offHost) missing(err error) error {
	if o == nil || err == nil {
		return err
	}
	f := failureOf(err)
	if f.Hint != listHint {
		return err
	}
	hint := fmt.Sprintf("sandkeeper backups list --store %s --store-host %s shows what there is", o.bucket.Fleet(), o.bucket.Host())
	return &Failure{Code: f.Code, Kind: f.Kind, Err: f.Err, Hint: hint}
}

// root is the place of the backups for people.
func (o *offHost) root(st *store.Store) string {
	if o == nil {
		return st.Root()
	}
	return o.bucket.Address()
}

// path is where a backup lies, for people.
func (o *offHost) path(b store.Backup) string {
	if o == nil {
		return b.Dir
	}
	return o.Path(b)
}

// alone takes the right to change what this host has in buckets: runs of one machine follow each other. Another one is
// waited for as long as wait says.
func (s *stores) alone(ctx context.Context, root string, wait time.Duration) (machine string, unlock func(), err error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", nil, err
	}
	lock := flock.New(filepath.Join(root, ".sync.lock"), flock.SetPermissions(0o600))
	again := s.patience(ctx, wait)
	for got := false; !got; {
		if got, err = lock.TryLock(); err != nil {
			return "", nil, err
		}
		if held := (&store.LockedError{Path: lock.Path()}); !got && !again(held) {
			return "", nil, held
		}
	}
	id, err := host.HostID()
	if err != nil || id == "" {
		id, _ = os.Hostname()
	}
	return id + ":" + root, func() { _ = lock.Unlock() }, nil // the kernel takes it back in any case
}

// offHostFailure gives an error of a bucket its exit code and the next command.
func offHostFailure(err error) *Failure {
	if busy, ok := errors.AsType[*bucket.BusyError](err); ok {
		return &Failure{
			Code: ExitLocked, Kind: "locked", Err: busy,
			Hint: "wait for that run to end, then run this command again; a run that was killed on another machine is forgotten after a day",
		}
	}

	if failed, ok := errors.AsType[*bucket.Error](err); ok {
		return &Failure{Code: ExitRefused, Kind: string(failed.Kind), Err: err, Hint: failed.Hint}
	}
	return nil
}
