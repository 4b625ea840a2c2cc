package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
	"sandkeeper/internal/text"
	"sandkeeper/sandbox"
)

type backupsVerifyOptions struct {
	app      *app
	which    selection
	store    storeOptions
	readData bool
	identity string
}

const backupsVerifyLong = `Prove that backups are what their manifests promise: the manifest's seal, the files and their sizes; with --read-data also every byte
of every backup. NAME is a sandbox or the id of a backup; without it everything is verified, also what was saved of the gateways themselves.

Damage exits 12, and names its kind and the object. What several backups share is read once, and damage in it is told of each of them. Of an
encrypted backup every byte is proven as it lies on disk; its content is judged only with --identity.`

func newBackupsVerify(a *app, run func(context.Context, *backupsVerifyOptions) (*answer, error)) *cobra.Command {
	o := &backupsVerifyOptions{app: a}
	if run == nil {
		run = runBackupsVerify
	}
	c := &cobra.Command{
		Use: "verify [NAME|ID]", Short: "Prove that backups are whole", Long: backupsVerifyLong,
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitNotFound, ExitDamaged, ExitInterrupted),
	}
	o.store.addFlags(c.Flags())
	o.store.bucket.addReadFlags(c.Flags())
	o.which.addFlag(a, c.Flags())
	c.Flags().BoolVar(&o.readData, "read-data", false, "read every byte, not only the structure")
	c.Flags().StringVar(&o.identity, "identity", "", "age identity file that opens encrypted archives")
	c.RunE = func(c *cobra.Command, args []string) error {
		o.which.name = argument(args, 0)
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

// verified is how one backup came out.
type verified struct {
	Sandbox   string `json:"sandbox"`
	Workspace string `json:"workspace,omitempty"` // of the sandbox
	Gateway   string `json:"gateway,omitempty"`   // whose own state it is; then there is no sandbox
	ID        string `json:"id"`
	OK        bool   `json:"ok"`
	ReadData  bool   `json:"readData"`
	Decrypted bool   `json:"decrypted"`
	Kind      string `json:"kind"`   // of the damage
	Object    string `json:"object"` // what is damaged
	Detail    string `json:"detail"`
}

type verifyResult struct {
	Root    string     `json:"root"`
	Checked int        `json:"checked"`
	Damaged int        `json:"damaged"`
	Unread  int        `json:"unread"` // nothing is known of these: they could not be read to the end
	Backups []verified `json:"backups"`
	States  []verified `json:"gatewayStates"` // of gateways; counted above as well

	proofs store.Proofs // blocks that several backups share are read once
	keys   bool         // identities were given
}

func runBackupsVerify(ctx context.Context, o *backupsVerifyOptions) (_ *answer, err error) {
	if err := o.which.single(); err != nil {
		return nil, err
	}
	proofs := store.Proofs{}
	store, off, err := o.app.stores.source(ctx, o.store, o.identity)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	o.which.off = off
	identities, err := readIdentities(o.identity)
	if err != nil {
		return nil, err
	}
	result := verifyResult{Root: off.root(store), Backups: []verified{}, States: []verified{}, proofs: proofs, keys: len(identities) > 0}
	scopes, err := o.which.scopes(store)
	if err != nil {
		return nil, err
	}
	var damage error
	for _, scope := range scopes {
		more, err := o.verify(ctx, scope, identities, &result)
		if err != nil {
			return nil, err
		}
		damage = errors.Join(damage, more)
	}

	if result.Checked == 0 {
		return nil, nothingIn(store.Root())
	}
	found := &answer{result: result, text: func(term *terminal) { renderVerify(term, result) }}
	if damage == nil {
		return found, nil
	}
	return found, verifyFailure(result, damage, o.app.stores.place(o.store), off.sentAgain())
}

// verify goes through one selection; damage is what was found, err why it could not go on.
func (o *backupsVerifyOptions) verify(ctx context.Context, which selection, keys archive.Identities, result *verifyResult) (damage, err error) {
	backups, err := which.backups(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range backups {
		v, err := verifyOne(ctx, which, b, store.VerifyOptions{ReadData: o.readData, Identities: keys, Proofs: result.proofs})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		result.add(v)
		damage = errors.Join(damage, err)
	}
	return damage, nil
}

func (r *verifyResult) add(v verified) {
	r.Checked++
	switch {
	case v.OK:
	case v.Kind == "":
		r.Unread++
	default:
		r.Damaged++
	}
	if v.Gateway != "" {
		r.States = append(r.States, v)
		return
	}
	r.Backups = append(r.Backups, v)
}

func verifyOne(ctx context.Context, which selection, b store.Backup, o store.VerifyOptions) (verified, error) {
	v := verified{Sandbox: b.Sandbox, Workspace: b.Series().Workspace, ID: b.ID, ReadData: o.ReadData}
	if which.gateway != "" {
		v.Sandbox, v.Workspace, v.Gateway = "", "", which.gateway
	}
	if which.off != nil {
		return which.off.verify(ctx, which, b, v, o)
	}
	seen, err := which.store.VerifyWith(ctx, b, o)
	v.OK, v.Decrypted = err == nil, seen.Decrypted
	if err == nil && o.ReadData {
		// A note for listings and prune; a store that cannot be written to can still be verified.
		_ = which.store.MarkVerified(b, true)
	}
	if err == nil {
		return v, nil
	}
	v.Detail = err.Error()
	if damage, ok := errors.AsType[*archive.DamageError](err); ok {
		v.Kind, v.Object = string(damage.Kind), damage.Object
		_ = which.store.ForgetVerified(b) // likewise
	}
	return v, fmt.Errorf("%s: %w", which.of(b), err)
}

// verify proves a backup in a bucket: its objects, and, with a key that opens it, what is in them.
func (o *offHost) verify(ctx context.Context, which selection, b store.Backup, v verified, with store.VerifyOptions) (verified, error) {
	err := o.Verify(ctx, b, with.ReadData)
	if err == nil && with.ReadData && len(o.identities) > 0 {
		v.Decrypted, err = o.verifyContent(ctx, which, b, with)
		if errors.Is(err, archive.ErrNoIdentity) { // what lies in the bucket is proven all the same
			err = nil
		}
	}
	v.OK = err == nil
	if err == nil && with.ReadData {
		// A note for listings and prune; a bucket that cannot be written to can still be verified.
		_ = o.MarkVerified(ctx, b)
		_ = o.proveVerified(ctx, which.gateway != "", b, true)
	}
	if err == nil {
		return v, nil
	}
	v.Detail = err.Error()
	if damage, ok := errors.AsType[*archive.DamageError](err); ok {
		v.Kind, v.Object = string(damage.Kind), damage.Object
		_ = o.ForgetVerified(ctx, b) // likewise
		n, problem := o.MarkDamaged(ctx)
		o.noted = problem == nil && n > 0
		_ = o.proveVerified(ctx, which.gateway != "", b, false)
	}
	return v, fmt.Errorf("%s: %w", which.of(b), err)
}

// verifyContent opens a backup and proves it as one on this host. One that the host had encrypted before it was sent is
// decrypted only with the key for that as well.
func (o *offHost) verifyContent(ctx context.Context, which selection, b store.Backup, with store.VerifyOptions) (decrypted bool, err error) {
	brought, err := o.bring(ctx, which.store, b)
	if err != nil {
		return false, err
	}
	seen, err := which.store.VerifyWith(ctx, brought, with)
	return err == nil && seen.Decrypted, err
}

// sentAgain says what becomes of damage in a bucket.
func (o *offHost) sentAgain() string {
	if o == nil || !o.noted {
		return ""
	}
	return "; the next backup of that host sends again what it needs of them: sandkeeper backup-all --store " + text.ShellWord(o.bucket.Fleet())
}

// verifyFailure is exit 12 when something is damaged; what could not be read at all is a failure of another kind. where is
// what a command needs to find the backups, more what else there is to say.
func verifyFailure(r verifyResult, err error, where, more string) error {
	if _, ok := errors.AsType[*archive.DamageError](err); !ok {
		return err
	}
	return &Failure{
		Code: ExitDamaged, Kind: "verification_failed", Err: err,
		Hint: fmt.Sprintf("%d of %s damaged; do not delete them yet: sandkeeper backups list%s shows which others there are%s", r.Damaged, size.Count(r.Checked, "backup is", "backups are"), where, more),
	}
}

func renderVerify(term *terminal, r verifyResult) {
	for _, v := range slices.Concat(r.Backups, r.States) {
		name := sandbox.Address(v.Workspace, v.Sandbox)
		if v.Gateway != "" {
			name = "(gateway " + v.Gateway + ")"
		}
		switch {
		case !v.OK && v.Kind == "":
			term.printf("unread   %s %s: %s", name, v.ID, v.Detail)
		case !v.OK:
			term.printf("damaged  %s %s: %s", name, v.ID, v.Detail)
		case v.ReadData && v.Decrypted:
			term.printf("ok       %s %s: every byte", name, v.ID)
		case v.ReadData && r.keys:
			term.printf("ok       %s %s: every byte as it lies encrypted; none of the given identities opens it", name, v.ID)
		case v.ReadData:
			term.printf("ok       %s %s: every byte as it lies encrypted; what is in it only --identity FILE proves", name, v.ID)
		default:
			term.printf("ok       %s %s: structure; add --read-data to read every byte", name, v.ID)
		}
	}
	unread := ""
	if r.Unread > 0 {
		unread = fmt.Sprintf(", %d that could not be read to the end", r.Unread)
	}
	term.printf("%s verified, %d damaged%s, in %s", backupCount(r.Checked-r.Unread), r.Damaged, unread, r.Root)
}
