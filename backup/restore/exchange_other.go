//go:build !linux

package restore

import (
	"context"
	"fmt"

	"sandkeeper/backup/home"
	"sandkeeper/internal/journal"
)

// exchangeable: containers of other systems run on a Linux of their own.
func (p *containerPlace) exchangeable(context.Context, *restoreJob) (*exchange, error) {
	return nil, fmt.Errorf("%w: this host is no Linux", home.ErrNotDirect)
}

func (x *exchange) makeStage() error                         { return errNoExchange }
func (x *exchange) fill(context.Context, *restoreJob) error  { return errNoExchange }
func (x *exchange) carry(context.Context, *restoreJob) error { return errNoExchange }
func (x *exchange) prepare() error                           { return errNoExchange }
func (x *exchange) turn() error                              { return errNoExchange }
func unmounted(string) error                                 { return errNoExchange }
func removeStage(journal.Exchange) error                     { return errNoExchange }
func healVolume(journal.Exchange) error                      { return errNoExchange }
func volumeExchanged(journal.Exchange) (bool, bool, error)   { return false, false, errNoExchange }
func exchanged(journal.Exchange, string) (bool, error)       { return false, errNoExchange }

func openExchanged(journal.Exchange, string) (*home.DirectHome, error) { return nil, errNoExchange }
