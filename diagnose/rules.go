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
	each   bool // is tells of one line as a whole
	note   note // what these words say beyond their class
}

// setting is what the rest of the text must say for common words to count.
type setting int

const (
	alone  setting = iota // the words are enough
	native                // the text names no product that speaks alike, unless it names us as well
	named                 // the text names us, whatever else it names
	ourOwn                // the text names us, and no product that speaks alike
)

func (s setting) holds(t reading) bool {
	switch s {
	case native:
		return !t.foreign || t.ours
	case named:
		return t.ours
	case ourOwn:
		return t.ours && !t.foreign
	}
	return true
}

func (r rule) matches(t reading) bool {
	if !r.needs.holds(t) || !r.each && !r.is.MatchString(t.whole) {
		return false
	}
	if !r.each && (r.unless == nil || !r.unless.MatchString(t.whole)) {
		return true
	}
	return slices.ContainsFunc(t.lines, func(line string) bool {
		return r.is.MatchString(line) && (r.unless == nil || !r.unless.MatchString(line))
	})
}

// compiled takes words that are written with spaces for texts that are squeezed.
func compiled(words string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(words, " ", ""))
}

// rules in order: the first that holds wins. What nobody else can have said comes first, then what is known to be
// somebody else's, then common words that need a setting. They are compiled when the first text is diagnosed: no other
// command pays for them.
var rules = sync.OnceValue(func() []rule {
	return slices.Concat(decodeRules(), databaseRules(), startRules(), gatewayRules(), sandboxRules(), callRules())
})

func decodeRules() []rule {
	return []rule{
		{class: SandboxUnreachable, is: compiled(logPush + `.{0,400}(?:` + notReached + `)`)},
		{class: SchemaMismatchSupervisor, is: compiled(supervisorMismatch), unless: compiled(supervisorAuth)},
		{class: SchemaMismatch, is: compiled(ourDecode), unless: compiled(podSandbox), sure: true},
		{class: SchemaMismatch, is: compiled(storedDecode), sure: true},
		{class: SchemaMismatch, is: compiled(silentDrift)},
		{class: Unrelated, is: compiled(foreignPath)},
		{class: SchemaMismatch, is: compiled(tonicDecode), needs: native},
		{class: SchemaMismatch, is: compiled(decoding), needs: ourOwn},
		{class: SchemaMismatch, is: compiled(schemaWords), needs: native},
		{class: SchemaMismatch, is: compiled(bareDecode), unless: compiled(otherDecoder), needs: native, each: true},
		{class: Unrelated, is: compiled(decoding)},
	}
}

func databaseRules() []rule {
	return []rule{
		{class: DBLocked, is: compiled(databaseLocked), needs: native},
		{class: DBLocked, is: compiled(relationLocked), needs: named},
		{class: GatewayStartFailed, is: compiled(databaseUnusable)},
		{class: MigrationIncompatibleDB, is: compiled(executionError)},
		{class: MigrationIncompatibleDB, is: compiled(otherTables), needs: ourOwn},
		{class: MigrationIncompatibleDB, is: compiled(migration), needs: native},
		{class: MigrationIncompatibleDB, is: compiled(datedMigration), needs: ourOwn},
		{class: MigrationIncompatibleDB, is: compiled(databaseNewer), needs: native},
		{class: Unrelated, is: compiled(openClaw)},
	}
}

// startRules come before those of TLS, credentials and connections: a gateway that does not start names them as its
// cause.
func startRules() []rule {
	return []rule{
		{class: GatewayStartFailed, is: compiled(noAuth), unless: compiled(onlyWarned), needs: named, note: noAuthentication},
		{class: GatewayStartFailed, is: compiled(configFile), needs: native, note: configuration},
		{class: GatewayStartFailed, is: compiled(gatewayOption), unless: compiled(clientOption), note: configuration},
		{class: GatewayStartFailed, is: compiled(partialState), note: partialTLS},
		{class: GatewayStartFailed, is: compiled(computeFailed), note: engineTrouble},
		{class: GatewayStartFailed, is: compiled(startStep)},
		{class: GatewayStartFailed, is: compiled(startErrorKind + startSubject), needs: native},
		{class: GatewayStartFailed, is: compiled(serverError), needs: named},
		{class: GatewayStartFailed, is: compiled(startErrorKind + `.{0,300}(?:docker|podman|compute|sandbox|gateway)`)},
		{class: GatewayStartFailed, is: compiled(unitFailed), unless: compiled(sandboxGone)},
		{class: GatewayStartFailed, is: compiled(containerFailed), needs: named},
		{class: GatewayStartFailed, is: compiled(clusterFailed)},
		{class: GatewayStartFailed, is: compiled(engineSilent + `.{0,400}(?:` + gatewayNamed + `)`), needs: named, note: engineTrouble},
		{class: GatewayStartFailed, is: compiled(`(?:` + gatewayNamed + `).{0,400}(?:` + engineSilent + `)`), needs: named, note: engineTrouble},
		{class: GatewayStartFailed, is: compiled(startFailed), needs: native},
		{class: GatewayStartFailed, is: compiled(libraryMissing), needs: ourOwn},
	}
}

func gatewayRules() []rule {
	return []rule{
		{class: LockContention, is: compiled(ourLock), unless: compiled(sandboxGone), needs: native},
		{class: LockContention, is: compiled(lockHeld), unless: compiled(sandboxGone), needs: ourOwn},
		{class: SandboxAuth, is: compiled(supervisorAuth)},
		{class: TLSTrust, is: compiled(localCA), needs: native},
		{class: TLSClientCert, is: compiled(clientCert), needs: native},
		{class: TLSTrust, is: compiled(rustTrust), needs: native},
		{class: WrongEndpoint, is: compiled(rustProtocol), needs: native},
		{class: GatewayNotRegistered, is: compiled(notRegisteredSurely), needs: native, sure: true},
		{class: GatewayNotRegistered, is: compiled(notRegistered), needs: native},
	}
}

func sandboxRules() []rule {
	return []rule{
		{class: Unknown, is: compiled(savedNothing)},
		{class: SandboxNotReady, is: compiled(lostWorkload), needs: native, note: lost},
		{class: SandboxNotReady, is: compiled(stoppedByOutage), needs: native, note: outage},
		{class: SandboxNotReady, is: compiled(restartedRuntime), needs: native, note: restarted},
		{class: SandboxNotReady, is: compiled(badWorkspace), needs: native, note: workspace},
		{class: SandboxNotReady, is: compiled(strangeContainer), needs: native, note: strange},
		{class: SandboxNotReady, is: compiled(supervisorImage), needs: native, note: supervisorGone},
		{class: SandboxNotReady, is: compiled(recordWithoutBody), needs: native, note: vanished},
		{class: SandboxNotReady, is: compiled(conditions), needs: native},
		{class: SandboxUnreachable, is: compiled(relayFailed), needs: native},
		{class: SandboxNotReady, is: compiled(notReady), needs: native},
		{class: SandboxNotFound, is: compiled(sandboxGone), needs: native},
		{class: Unrelated, is: compiled(otherGone)},
		{class: BackupContentError, is: compiled(sandboxBackup), needs: native},
		{class: BackupContentError, is: compiled(anyBackup), needs: ourOwn},
	}
}

func callRules() []rule {
	return []rule{
		{class: WrongEndpoint, is: compiled(webAnswer), needs: ourOwn},
		{class: VersionSkew, is: compiled(tonicMissing), needs: native},
		{class: VersionSkew, is: compiled(olderCLI)},
		{class: VersionSkew, is: compiled(unimplemented), needs: ourOwn},
		{class: Auth, is: compiled(rustAuth), needs: native},
		{class: Auth, is: compiled(anyAuth), needs: ourOwn},
		{class: WrongEndpoint, is: compiled(anyProtocol), unless: compiled(keptAlive), needs: ourOwn},
		{class: TLSClientCert, is: compiled(anyClientCert), needs: ourOwn},
		{class: TLSTrust, is: compiled(anyTrust), needs: ourOwn},
		{class: GatewayStartFailed, is: compiled(gatewayCannot), needs: named},
		{class: GatewayUnreachable, is: compiled(noAnswer), needs: native},
		{class: GatewayUnreachable, is: compiled(refusedAlone), needs: native, each: true},
		{class: GatewayUnreachable, is: compiled(refusedToUs), needs: ourOwn},
		{class: GatewayStartFailed, is: compiled(gatewayEnded), unless: compiled(gatewayTalks), needs: named, each: true},
		{class: Unknown, is: compiled(tonicInternal), needs: native},
		{class: Unrelated, is: compiled(otherRequest)},
		{class: Unrelated, is: compiled(fetched)},
	}
}
