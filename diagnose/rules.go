package diagnose

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

// compiled takes words that are written with spaces for texts that are squeezed.
func compiled(words string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(words, " ", ""))
}

// rules in order: the first that holds wins. What nobody else can have said comes first, then what is known to be somebody else's,
// then common words that need a setting. They are compiled when the first text is diagnosed: no other command pays for them.
var rules = sync.OnceValue(func() []rule {
	return append(decisive(), common()...)
})

func decisive() []rule {
	return []rule{
		{class: SchemaMismatchSupervisor, is: compiled(supervisorMismatch), unless: compiled(supervisorAuth)},
		{class: SchemaMismatch, is: compiled(ourDecode), unless: compiled(podSandbox), sure: true},
		{class: SchemaMismatch, is: compiled(storedDecode), sure: true},
		{class: SchemaMismatch, is: compiled(silentDrift)},
		{class: Unrelated, is: compiled(foreignPath)},
		{class: SchemaMismatch, is: compiled(tonicDecode), needs: native},
		{class: SchemaMismatch, is: compiled(decoding), needs: ourOwn},
		{class: Unrelated, is: compiled(decoding)},
		{class: DBLocked, is: compiled(databaseLocked), needs: native},
		{class: MigrationIncompatibleDB, is: compiled(executionError)},
		{class: MigrationIncompatibleDB, is: compiled(migration), needs: native},
		{class: MigrationIncompatibleDB, is: compiled(datedMigration), needs: ourOwn},
		{class: MigrationIncompatibleDB, is: compiled(databaseNewer), needs: native},
		{class: Unrelated, is: compiled(openClaw)},
	}
}

func common() []rule {
	return append(gatewayRules(),
		rule{class: VersionSkew, is: compiled(tonicMissing), needs: native},
		rule{class: VersionSkew, is: compiled(olderCLI)},
		rule{class: VersionSkew, is: compiled(unimplemented), needs: ourOwn},
		rule{class: Auth, is: compiled(rustAuth), needs: native},
		rule{class: Auth, is: compiled(anyAuth), needs: ourOwn},
		rule{class: WrongEndpoint, is: compiled(anyProtocol), unless: compiled(keptAlive), needs: ourOwn},
		rule{class: TLSTrust, is: compiled(anyTrust), needs: ourOwn},
		rule{class: GatewayUnreachable, is: compiled(noAnswer), needs: native},
		rule{class: GatewayUnreachable, is: compiled(refusedToUs), needs: ourOwn},
		rule{class: Unknown, is: compiled(tonicInternal), needs: native},
		rule{class: Unrelated, is: compiled(otherRequest)},
	)
}

func gatewayRules() []rule {
	return []rule{
		{class: LockContention, is: compiled(ourLock), unless: compiled(sandboxGone), needs: native},
		{class: LockContention, is: compiled(lockHeld), needs: ourOwn},
		{class: SandboxAuth, is: compiled(supervisorAuth)},
		{class: TLSClientCert, is: compiled(clientCert), needs: native},
		{class: TLSTrust, is: compiled(rustTrust), needs: native},
		{class: WrongEndpoint, is: compiled(rustProtocol), needs: native},
		{class: GatewayNotRegistered, is: compiled(notRegisteredSurely), needs: native, sure: true},
		{class: GatewayNotRegistered, is: compiled(notRegistered), needs: native},
		{class: GatewayStartFailed, is: compiled(startFailed), needs: native},
		{class: GatewayStartFailed, is: compiled(libraryMissing), needs: ourOwn},
		{class: SandboxUnreachable, is: compiled(relayFailed), needs: native},
		{class: SandboxNotReady, is: compiled(notReady), needs: native},
		{class: SandboxNotFound, is: compiled(sandboxGone), needs: native},
		{class: BackupContentError, is: compiled(sandboxBackup), needs: native},
		{class: BackupContentError, is: compiled(anyBackup), needs: ourOwn},
	}
}
