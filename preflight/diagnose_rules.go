package preflight

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// rule recognises one class. It holds when one line, or the whole text, matches is and not unless.
type rule struct {
	class  Class
	is     *regexp.Regexp
	unless *regexp.Regexp // may be nil
	needs  setting
	sure   bool // words that only OpenShell or NemoClaw print
}

// setting is what the rest of the text must say for common words to count.
type setting int

const (
	alone  setting = iota // the words are enough
	native                // the text names no product that speaks alike, unless it names us as well
	ourOwn                // the text names us, and no product that speaks alike
)

func (r rule) matches(t reading) bool {
	if r.needs == ourOwn && (!t.ours || t.foreign) || r.needs == native && t.foreign && !t.ours {
		return false
	}
	if !r.is.MatchString(t.whole) {
		return false
	}
	if r.unless == nil || !r.unless.MatchString(t.whole) {
		return true
	}
	return slices.ContainsFunc(t.lines, func(line string) bool {
		return r.is.MatchString(line) && !r.unless.MatchString(line)
	})
}

// pattern compiles words that are written with spaces for texts that are squeezed.
func pattern(words string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(words, " ", ""))
}

// rules in order: the first that holds wins. What nobody else can have said comes first, then what is known to be somebody else's,
// then common words that need a setting. They are compiled when the first text is diagnosed: no other command pays for them.
var rules = sync.OnceValue(func() []rule {
	return append(decisive(), common()...)
})

func decisive() []rule {
	return []rule{
		{class: SchemaMismatchSupervisor, is: pattern(supervisorMismatch), unless: pattern(supervisorAuth)},
		{class: SchemaMismatch, is: pattern(ourDecode), sure: true},
		{class: SchemaMismatch, is: pattern(storedDecode), sure: true},
		{class: SchemaMismatch, is: pattern(silentDrift)},
		{class: Unrelated, is: pattern(foreignPath)},
		{class: SchemaMismatch, is: pattern(tonicDecode), needs: native},
		{class: SchemaMismatch, is: pattern(decoding), needs: ourOwn},
		{class: Unrelated, is: pattern(decoding)},
		{class: DBLocked, is: pattern(databaseLocked), needs: native},
		{class: MigrationIncompatibleDB, is: pattern(executionError)},
		{class: MigrationIncompatibleDB, is: pattern(migration), needs: native},
		{class: MigrationIncompatibleDB, is: pattern(databaseNewer), needs: native},
		{class: Unrelated, is: pattern(openClaw)},
	}
}

func common() []rule {
	return append(gatewayRules(),
		rule{class: VersionSkew, is: pattern(tonicMissing), needs: native},
		rule{class: VersionSkew, is: pattern(olderCLI)},
		rule{class: VersionSkew, is: pattern(unimplemented), needs: ourOwn},
		rule{class: Auth, is: pattern(rustAuth), needs: native},
		rule{class: Auth, is: pattern(anyAuth), needs: ourOwn},
		rule{class: WrongEndpoint, is: pattern(anyProtocol), needs: ourOwn},
		rule{class: TLSTrust, is: pattern(anyTrust), needs: ourOwn},
		rule{class: GatewayUnreachable, is: pattern(noAnswer), needs: native},
		rule{class: GatewayUnreachable, is: pattern(refusedToUs), needs: ourOwn},
		rule{class: UnknownClass, is: pattern(tonicInternal), needs: native},
		rule{class: Unrelated, is: pattern(otherRequest)},
	)
}

func gatewayRules() []rule {
	return []rule{
		{class: LockContention, is: pattern(ourLock), unless: pattern(sandboxGone), needs: native},
		{class: LockContention, is: pattern(lockHeld), needs: ourOwn},
		{class: SandboxAuth, is: pattern(supervisorAuth)},
		{class: TLSClientCert, is: pattern(clientCert), needs: native},
		{class: TLSTrust, is: pattern(rustTrust), needs: native},
		{class: WrongEndpoint, is: pattern(rustProtocol), needs: native},
		{class: GatewayNotRegistered, is: pattern(notRegisteredSurely), needs: native, sure: true},
		{class: GatewayNotRegistered, is: pattern(notRegistered), needs: native},
		{class: GatewayStartFailed, is: pattern(startFailed), needs: native},
		{class: GatewayStartFailed, is: pattern(libraryMissing), needs: ourOwn},
		{class: SandboxUnreachable, is: pattern(relayFailed), needs: native},
		{class: SandboxNotReady, is: pattern(notReady), needs: native},
		{class: SandboxNotFound, is: pattern(sandboxGone), needs: native},
		{class: BackupContentError, is: pattern(sandboxBackup), needs: native},
		{class: BackupContentError, is: pattern(anyBackup), needs: ourOwn},
	}
}
