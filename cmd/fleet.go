package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sandkeeper/backup/bucket"
	"sandkeeper/backup/watch"
	"sandkeeper/internal/size"
	"sandkeeper/internal/ui"
)

func newFleet(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "fleet", Short: "Look at the backups of many hosts in one bucket", Annotations: exits(ExitOK, ExitUsage),
		Long: "Many hosts bring their backups into one bucket, each below a name of its own. \"fleet status\" shows from any machine how\n" +
			"old the backups of each host are. docs/fleet.md says how such hosts are set up.",
	}
	c.AddCommand(newFleetStatus(a, nil))
	return c
}

type fleetStatusOptions struct {
	app     *app
	address string
	status  statusOptions
}

const fleetStatusLong = `Show, for every sandbox of every host, how old its newest backup in the bucket is, and whether that was verified and
drilled. Sandboxes without a backup come first, then the oldest. The command reads the short status that backup-all
--store and backups sync of each host leave in the bucket. It opens no backup, so it needs no key.

With --max-age it ends with 6 when a sandbox of any host has no verified backup in the bucket that is younger than
that. A dead host is found this way: it sends no backups any more, and its newest ones grow old. Once you have given a
host up, remove its status; its backups stay: aws s3 rm s3://BUCKET/PREFIX/_status/HOST.json`

func newFleetStatus(a *app, run func(context.Context, *fleetStatusOptions) (*answer, error)) *cobra.Command {
	o := &fleetStatusOptions{app: a}
	if run == nil {
		run = runFleetStatus
	}
	c := &cobra.Command{
		Use: "status", Short: "Say how old and how well proven the backups of every host in a bucket are", Long: fleetStatusLong,
		Example:     "  sandkeeper fleet status --store s3://backups/fleet\n  sandkeeper fleet status --store s3://backups/fleet --max-age 26h --quiet",
		Annotations: exits(ExitOK, ExitRefused, ExitUsage, ExitPartial, ExitOverdue, ExitNotFound, ExitInterrupted),
		RunE:        a.do(func(ctx context.Context) (*answer, error) { return run(ctx, o) }),
	}
	f := c.Flags()
	f.StringVar(&o.address, "store", "", "the bucket that the hosts bring their backups to: s3://bucket/prefix")
	o.status.addReportFlags(f)
	return c
}

func runFleetStatus(ctx context.Context, o *fleetStatusOptions) (*answer, error) {
	if err := o.status.valid(); err != nil {
		return nil, err
	}
	b, err := o.app.stores.bucket(bucketOptions{address: o.address, host: "fleet"}, bucket.Options{})
	if err != nil {
		return nil, err
	}
	told, err := b.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	hosts, unread := readStatuses(told)
	if len(hosts) == 0 && unread == nil {
		f := notFound("no host has written its status into %s yet", b.Fleet())
		f.Hint = "on each host: sandkeeper backup-all --store " + b.Fleet() + " writes it there, and so does sandkeeper backups sync"
		return nil, f
	}
	host := o.app.host
	question := watch.Question{Gateway: host.Gateway, Workspace: host.Workspace, MaxAge: o.status.maxAge, Now: time.Now()}
	report := watch.Fleet(b.Fleet(), hosts, question)
	if !report.Matches(question) && unread == nil && host.Gateway+host.Workspace != "" {
		f := notFound("no host in %s has a sandbox%s%s", b.Fleet(), ofGateway(host.Gateway), inWorkspace(host.Workspace))
		f.Hint = "sandkeeper fleet status --store " + b.Fleet() + " shows those of every gateway and workspace"
		return nil, f
	}
	if unread != nil {
		o.app.term.warn("%v", unread)
	}
	found := &answer{result: report, text: func(term *terminal) { renderFleet(term, report) }}
	err = o.status.verdict(report, "", unread)
	if late, ok := errors.AsType[*Failure](err); ok && late.Code == ExitOverdue {
		late.Hint = "look on that host: sandkeeper schedule show, and sandkeeper backup-all --verify makes one of each"
	} else if ok {
		late.Hint = "sandkeeper backups sync on that host writes it anew"
	}
	return found, joined(o.status.publish(report), err)
}

// readStatuses reads what hosts say. The error names those of which nothing can be believed.
func readStatuses(told []bucket.HostStatus) (hosts []watch.HostStatus, unread error) {
	for _, each := range told {
		status, err := watch.HostStatus{}, each.Err
		if err == nil {
			status, err = watch.ReadHostStatus(each.Host, each.Text)
		}
		if err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		hosts = append(hosts, status)
	}
	return hosts, unread
}

func renderFleet(term *terminal, r watch.Report) {
	table := term.table()
	table.Row("STATE", "HOST", "SANDBOX", "GATEWAY", "NEWEST", "SIZE", "VERIFIED", "DRILLED", "BACKUPS")
	for _, rows := range [][]watch.Row{r.Sandboxes, r.Gateways} {
		for _, row := range rows {
			newest, bytes := "-", "-"
			if b := row.Newest; b != nil {
				newest, bytes = ui.Age(r.At.Sub(b.Started)), size.Text(b.Bytes)
			}
			table.Row(string(row.State), row.Host, row.Address(), orDash(row.Gateway), newest, bytes, verifiedWhen(row, r.At), drilledWhen(row, r.At), fmt.Sprint(row.Backups))
		}
	}
	table.Print(term.Out, paintState(term))
	for _, row := range r.Sandboxes {
		if row.Reason != "" {
			term.printf("%s: %s: %s", row.Host, row.Address(), row.Reason)
		}
	}

	t := r.Totals
	term.printf("%s, %s: %s", size.Count(r.Hosts, "host", "hosts"), sandboxCount(t.Sandboxes), stateCounts(t))
	term.printf("%s, of which the last 7 days added %s", backupCount(t.Backups), size.Text(t.LastWeek))
	term.printf("Backups stored in: %s", r.Root)
}
