package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sandkeeper/backup/archive"
	"sandkeeper/backup/store"
	"sandkeeper/internal/size"
)

type backupsShowOptions struct {
	app   *app
	args  []string
	which selection
	store storeOptions
}

func newBackupsShow(a *app, run func(context.Context, *backupsShowOptions) (*answer, error)) *cobra.Command {
	o := &backupsShowOptions{app: a}
	if run == nil {
		run = runBackupsShow
	}
	c := &cobra.Command{
		Use: "show NAME [ID]", Short: "Show what one backup holds and what it leaves out",
		Long: `Show one backup's manifest: where it came from, what it holds, what was left out and why. NAME is a sandbox (then its latest
backup, or the one whose id, or the beginning of it, is given) or the id of a backup. With --gateway-state NAME, only an ID may follow.`,
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitNotFound, ExitDamaged),
	}
	o.store.addFlags(c.Flags())
	o.store.bucket.addReadFlags(c.Flags())
	o.which.addFlag(a, c.Flags())
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil // --gateway-state, or its twin, may name what is meant
		}
		return takes(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		o.args = args
		return a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) })(c, args)
	}
	return c
}

func runBackupsShow(ctx context.Context, o *backupsShowOptions) (_ *answer, err error) {
	if err := o.choose(); err != nil {
		return nil, err
	}
	store, off, err := o.app.stores.source(ctx, o.store, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, off.close()) }()
	o.which.off = off
	which := o.which.in(store)
	b, err := which.one(ctx)
	if err != nil {
		return nil, err
	}
	if b.Damage != nil {
		return nil, fmt.Errorf("%s: %w", which.of(b), b.Damage)
	}
	result := map[string]any{"backup": newListed(b, off), "manifest": b.Manifest}
	return &answer{result: result, text: func(term *terminal) { renderBackup(term, b, off) }}, nil
}

// choose reads the arguments: a name comes first, unless a gateway was named.
func (o *backupsShowOptions) choose() error {
	named := 1
	if o.which.gateway != "" {
		named = 0
	}
	if len(o.args) < named {
		return usage("usage: sandkeeper backups show NAME [ID]\nsandkeeper backups list shows what there is", "sandkeeper backups show: NAME is missing")
	}
	if len(o.args) > named+1 {
		return usage("give --gateway-state NAME, and at most an ID", "%q is one argument too many", o.args[named+1])
	}
	if named == 1 {
		o.which.name = o.args[0]
	}
	o.which.id = argument(o.args, named)
	return nil
}

// recipeText says whether the sandbox can be made again from this backup alone.
func recipeText(m *archive.Manifest) string {
	if m.RecipeFile == nil {
		return ""
	}
	return fmt.Sprintf("%s, with all that the gateway told of the sandbox", m.RecipeFile.File)
}

func renderBackup(term *terminal, b store.Backup, off *offHost) {
	table := term.table()
	for _, row := range slices.Concat(originRows(b, off.path(b)), contentRows(b), recipeRows(b.Manifest), [][2]string{{"verified", newListed(b, off).verified()}}) {
		if row[1] != "" && row[1] != " " {
			table.Row(row[0], row[1])
		}
	}

	table.Print(term.Out, nil)
	renderExclusions(term, b.Manifest)
}

// originRows say where a backup came from, and how it was read.
func originRows(b store.Backup, path string) [][2]string {
	m := b.Manifest
	return [][2]string{
		{"sandbox", b.Series().Address()},
		{"id", m.ID},
		{"path", path},
		{"label", m.Label},
		{"gateway", m.Gateway},
		{"inventory", m.Inventory},
		{"taken", fmt.Sprintf("%s to %s", m.Started.Format("2006-01-02 15:04:05Z"), m.Finished.Format("15:04:05Z"))},
		{"consistency", string(m.Consistency) + because(m.ConsistencyReason)},
		{"way", string(m.Way) + because(m.WayReason)},
		{"home", m.Home},
		{"image", imageText(m.Image)},
		{"agent", m.Agent + " " + m.Versions.Agent},
		{"versions", fmt.Sprintf("openshell %s, gateway %s, supervisor %s", orDash(m.Versions.CLI), orDash(m.Versions.Gateway), orDash(m.Versions.Supervisor))},
	}
}

// contentRows say what a backup holds, and what of it was new.
func contentRows(b store.Backup) [][2]string {
	m := b.Manifest
	rows := [][2]string{{"content", fmt.Sprintf("%s, %s", fileCount(m.Content.Files), size.Text(m.Content.Bytes))}}
	if len(m.Objects) > 0 {
		rows = append(rows, objectRows(m)...)
	} else {
		rows = append(rows, [2]string{"archive", fmt.Sprintf("%s, %s, sha256 %s", m.Archive.File, size.Text(m.Archive.Bytes), m.Archive.SHA256)},
			[2]string{"added", addedText(b)}, [2]string{"shared", sharedText(m)})
	}
	return append(rows, [2]string{"credentials", secretsText(m.Secrets)})
}

// objectRows say of a backup in a bucket what it added there, what it shares with others there, and who can open it.
func objectRows(m *archive.Manifest) [][2]string {
	var count [2]int
	var bytes [2]int64
	for _, o := range m.Objects {
		of := 0
		if o.Shared() {
			of = 1
		}
		count[of]++
		bytes[of] += o.Bytes
	}
	shared := "nothing: its own objects hold all of it"
	if count[1] > 0 {
		shared = fmt.Sprintf("%s, %s, of packs that other backups brought", size.Count(count[1], "object", "objects"), size.Text(bytes[1]))
	}
	encrypted := ""
	if m.Encryption != nil {
		encrypted = "to " + strings.Join(m.Encryption.Recipients, ", ")
	}
	return [][2]string{
		{"added", fmt.Sprintf("%s, %s", size.Count(count[0], "object", "objects"), size.Text(bytes[0]))},
		{"shared", shared},
		{"encrypted", encrypted},
	}
}

// recipeRows say what is kept of what it takes to make the sandbox again.
func recipeRows(m *archive.Manifest) [][2]string {
	var recipe archive.Origin
	if m.Recipe != nil {
		recipe = *m.Recipe
	}
	return [][2]string{
		{"environment", strings.Join(recipe.Env, ", ")},
		{"providers", strings.Join(recipe.Providers, ", ")},
		{"policy", policyText(recipe)},
		{"not told", recipe.Untold},
		{"recipe", recipeText(m)},
	}
}

// renderExclusions says what is not in a backup.
func renderExclusions(term *terminal, m *archive.Manifest) {
	if said := inexactText(m.Way, m.Inexact); said != "" {
		term.printf("read through the %s: %s", m.Way, said)
	} else if len(m.Exclusions) == 0 {
		term.printf("Nothing was left out.")
	}
	for _, e := range m.Exclusions {
		what := e.Path
		if what == "" { // the paths of an encrypted backup are in its index alone
			what = "of kind " + e.Kind
		}
		term.printf("not in it: %s (%s)", what, e.Reason)
	}
}

// addedText says what the backup stored that its series did not have yet.
func addedText(b store.Backup) string {
	m := b.Manifest
	if m.Blocks == nil {
		return ""
	}
	return fmt.Sprintf("%d blocks, %s, %s packed", m.Blocks.Added, size.Text(m.Blocks.AddedBytes), size.Text(m.Archive.Bytes+b.Beside()))
}

// sharedText says how much of the backup its series had already.
func sharedText(m *archive.Manifest) string {
	if m.Blocks == nil {
		return ""
	}
	if m.SelfContained() {
		return "nothing: its archive alone holds all of it"
	}
	return fmt.Sprintf("%d blocks, %s, that were stored already", m.Blocks.Shared, size.Text(m.Blocks.SharedBytes))
}

// policyText says that there is a policy: what is in it only its gateway's own commands can show.
func policyText(r archive.Origin) string {
	if len(r.Policy) == 0 {
		return ""
	}
	return "kept, as its gateway encodes it"
}

// imageText is what was asked for, and what it was then: a tag moves.
func imageText(i archive.Image) string {
	if i.Reference == i.Digest {
		return i.Reference
	}
	return i.Reference + because(i.Digest)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// secretsText says whether the credentials of a home are in its backup.
func secretsText(word string) string {
	switch word {
	case archive.SecretsInclude:
		return "in it, as the home had them"
	case archive.SecretsExclude:
		return "left out, as far as they were known"
	case archive.SecretsScrubbed:
		return "taken out by backups export --scrub, as far as they were known"
	}
	return word
}
