package diagnose

// advice is what is said about one class. The commands exist wherever sandkeeper and openshell are installed; whoever
// knows the host adds what fits it.
type advice struct {
	explanation string
	actions     []string
	decides     string
}

const (
	runPreflight = "sandkeeper preflight"
	runStatus    = "openshell status"
	saveAll      = "sandkeeper backup-all"
	saveOffline  = "sandkeeper backup-all --offline"
)

func explain(class Class, confidence string) Diagnosis {
	about := adviceOn(class)
	d := Diagnosis{Class: class, Confidence: confidence, Explanation: about.explanation, Actions: about.actions, Decides: about.decides}
	if confidence == Certain {
		d.Decides = ""
	}
	if d.Actions == nil {
		d.Actions = []string{}
	}
	return d
}

func adviceOn(class Class) advice {
	for _, known := range []func(Class) (advice, bool){versionAdvice, gatewayAdvice, credentialAdvice, sandboxAdvice, recordAdvice} {
		if about, ok := known(class); ok {
			return about
		}
	}
	return advice{
		explanation: "The text does not say enough to tell what went wrong.",
		actions:     []string{runPreflight, runStatus},
		decides:     "the whole output of the failed command, its exit status, and " + runPreflight,
	}
}

func versionAdvice(class Class) (advice, bool) {
	switch class {
	case SchemaMismatch:
		return advice{
			explanation: "The openshell CLI and the gateway do not speak the same protobuf schema, so nothing that the gateway says about sandboxes can be trusted now.",
			actions:     []string{saveOffline, runPreflight, runStatus},
			decides:     "the versions of the CLI and of the gateway that answers: " + runPreflight,
		}, true
	case SchemaMismatchSupervisor:
		return advice{
			explanation: "The supervisor inside a sandbox and the gateway do not speak the same protocol; CLI and gateway may well agree. Compare the two versions first; only where they differ is the sandbox to be rebuilt, after a backup.",
			actions:     []string{saveOffline, "sandkeeper upgrade-sandboxes --check"},
			decides:     "the supervisor's version in the sandbox beside the gateway's: sandkeeper upgrade-sandboxes --check",
		}, true
	case VersionSkew:
		return advice{
			explanation: "The gateway does not know the call: it is older than the CLI, or another program answers on its port.",
			actions:     []string{runPreflight, runStatus},
			decides:     "the versions of the CLI and of the gateway that answers: " + runPreflight,
		}, true
	case MigrationIncompatibleDB:
		return advice{
			explanation: "The gateway's database was written by another OpenShell version than opens it now. There is no way down: run the version that wrote it, or put back a copy of the database from before. Keep the database file; it holds the sandboxes' records.",
			actions:     []string{saveOffline, "openshell --version", "openshell-gateway --version", runPreflight},
			decides:     "which OpenShell version wrote the database, and which one opens it",
		}, true
	}
	return advice{}, false
}

func gatewayAdvice(class Class) (advice, bool) {
	switch class {
	case GatewayUnreachable:
		return advice{
			explanation: "Nobody answered at the gateway's endpoint. That does not say whether the gateway or its sandboxes run: the address, the port, TLS or a proxy may be in the way. A gateway that does not run is started by what manages it: NemoClaw, a systemd unit, Homebrew, the snap, or the command line that started it before.",
			actions:     []string{"sandkeeper gateway status", runStatus},
			decides:     "whether a gateway process is alive and listens on that port: sandkeeper gateway status",
		}, true
	case GatewayNotRegistered:
		return advice{
			explanation: "The openshell CLI does not know the gateway. The gateway itself, its certificates and its sandboxes may be whole.",
			actions:     []string{"openshell gateway list", "openshell gateway add --help", runPreflight},
			decides:     "whether the gateway's name is in: openshell gateway list",
		}, true
	case GatewayStartFailed:
		return advice{
			explanation: "The gateway process ended before it was ready. The last lines of its own log say why.",
			actions:     []string{"openshell-gateway --version", "sandkeeper gateway status", saveOffline},
			decides:     "the gateway's log of this very start",
		}, true
	case WrongEndpoint:
		return advice{
			explanation: "Something answered that is not an OpenShell gateway, or not in the expected way (plain HTTP against TLS, a proxy, another program on the port).",
			actions:     []string{"openshell gateway list", runStatus, "sandkeeper gateway status"},
			decides:     "which program listens on the endpoint's port: sandkeeper gateway status",
		}, true
	}
	return advice{}, false
}

func credentialAdvice(class Class) (advice, bool) {
	switch class {
	case TLSTrust:
		return advice{
			explanation: "The CLI does not trust the gateway's certificate: most often the gateway was recreated with new keys and the CLI still has the old ones, or it has no ca.crt to prove it by.",
			actions:     []string{runStatus, "openshell gateway list", runPreflight},
			decides:     "whether ca.crt of the CLI's registration is there, and is the one that signed the gateway's certificate",
		}, true
	case TLSClientCert:
		return advice{
			explanation: "The gateway wants a client certificate and got none that it accepts.",
			actions:     []string{"openshell gateway list", runStatus},
			decides:     "whether the CLI's registration of the gateway has tls.crt and tls.key",
		}, true
	case Auth:
		return advice{
			explanation: "The gateway answered and refused the credentials: they are missing, expired, or not allowed to do this.",
			actions:     []string{"openshell gateway login --help", runStatus},
			decides:     "a fresh login to this gateway",
		}, true
	case SandboxAuth:
		return advice{
			explanation: "The gateway and the sandbox do not accept each other's secret or token. This is neither TLS nor your login.",
			actions:     []string{saveOffline, "openshell sandbox list", "sandkeeper upgrade-sandboxes --check"},
			decides:     "whether the sandbox was created by the gateway that runs now",
		}, true
	}
	return advice{}, false
}

func sandboxAdvice(class Class) (advice, bool) {
	switch class {
	case SandboxUnreachable:
		return advice{
			explanation: "The gateway answers, and has no way into the sandbox now: its supervisor or ssh does not respond. The files can still be read from the container.",
			actions:     []string{"sandkeeper backup-all", "openshell sandbox list"},
			decides:     "whether the sandbox's container runs, and what its log says",
		}, true
	case SandboxNotFound:
		return advice{
			explanation: "The gateway has no sandbox or workspace of that name, or the sandbox is in another workspace. It may belong to another gateway, or its container may still be there.",
			actions:     []string{"openshell sandbox list", "openshell gateway list", "sandkeeper backup-all --dry-run"},
			decides:     "the recorded gateway of the sandbox, and whether a labelled container exists: sandkeeper backup-all --dry-run",
		}, true
	case SandboxNotReady:
		return advice{
			explanation: "The sandbox exists and is not in phase Ready: it is starting, stopped or broken.",
			actions:     []string{"openshell sandbox list", "sandkeeper backup-all"},
			decides:     "the sandbox's phase after a minute: openshell sandbox list",
		}, true
	}
	return advice{}, false
}

func recordAdvice(class Class) (advice, bool) {
	switch class {
	case BackupContentError:
		return advice{
			explanation: "Some entries of the sandbox could not be saved or put back. The rest of the backup may be whole.",
			actions:     []string{"sandkeeper backup-all", "sandkeeper backups list"},
			decides:     "the named files, and: sandkeeper backups verify",
		}, true
	case LockContention:
		return advice{
			explanation: "Another run holds a lock, or a run that died left it behind. Wait for it, or see whether the process it names is alive.",
			actions:     []string{"sandkeeper backups list", runPreflight},
			decides:     "whether the process that holds the lock is alive",
		}, true
	case DBLocked:
		return advice{
			explanation: "Another process has the gateway's database open for writing, often a second or an old gateway. The data is not damaged; leave the file where it is.",
			actions:     []string{"sandkeeper gateway status", runPreflight},
			decides:     "which processes have the database open",
		}, true
	case Unrelated:
		return advice{
			explanation: "This does not look like an error between the openshell CLI, its gateway and its sandboxes.",
			actions:     []string{runPreflight},
			decides:     "which program printed it; if it was openshell, the whole output and " + runPreflight,
		}, true
	}
	return advice{}, false
}
