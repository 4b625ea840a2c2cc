package diagnose

// quotedName is the name of an object as OpenShell and NemoClaw quote it, or none.
const quotedName = `(?:'[^']*'|"[^"]*"|[a-z0-9-]{0,40})`

// What is said of one sandbox.
const (
	relayFailed = `exited with status exit status: 255|supervisor relay failed|relay (?:channel|stream|session) (?:was)? (?:dropped|closed|lost|reset)|supervisor session: (?:stream error|ended)|` +
		`ssh: connect to host openshell-|supervisor session (?:is)? (?:not |dis)connected|no supervisor session|supervisor is (?:not |dis)connected|relay (?:open|channel)? timed out|` +
		`ssh (?:probe)? exited with status|ssh-?unreachable|timed out during banner exchange|unknown port 65535|(?:could not|cannot) reach sandbox|sandbox.{0,80}(?:banner exchange|kex_exchange_identification)|openshell-[a-z0-9.-]+.{0,40}kex_exchange|` +
		`ssh (?:connection)? to sandbox.{0,60}(?:failed|timed out|refused)|sandbox.{0,40}unreachable|ssh tunnel.{0,60}(?:fail|timed out)|` +
		`failed to (?:establish ssh transport|open ssh channel|connect to ssh proxy|start relay proxy|execute command over ssh)|unknown or expired relay channel|` +
		`supervisor.{0,60}(?:timed out|unavailable)|failed to connect to openshell server`

	notReady = `sandbox '[^']*' is still being created|pod ip is not available|skipping '[^']*' \(not running|sandbox ` + quotedName + ` is (?:not (?:yet)?|no longer) ready|is not ready \(phase:|supervisornotconnected|` +
		`sandbox ` + quotedName + ` did not become ready|wait for it to reach ready|dependenciesnotready|` +
		`stuck in '?(?:error|provisioning)'?|(?:timed out|timed out after \w+) waiting for (?:the)? sandbox|sandbox (?:container)? (?:is|was) (?:stopped|paused|dead)|` +
		`sandbox.{0,60}(?:provisioning timed out|not become ready)|\(current phase:|sandbox (?:` + quotedName + `)? (?:entered|is in) (?:the)? (?:phase)? error|` +
		`sandbox provisioning stream ended|sandbox watch ended before|gateway returned no sandbox after|driver_?operation_?pending|` +
		`sandbox ` + quotedName + ` is (?:not running|(?:in phase)? (?:stopping|stopped|starting|provisioning|deleting|suspended|paused))|sandbox must be [a-z]{4,12} to [a-z]+`

	// The reasons of a condition that is not Ready (docs/facts/openshell-0.1.md 1.2, 6).
	conditions = `imagepullfailed|identityresolutionfailed|boundary(?:statecreate|channelcreate|configwrite)failed|sandboxtokenwritefailed|` +
		`container(?:create|start)failed|containerrestarting|containerpaused|resourceadmission(?:denied|lookupfailed)|outerfence(?:inspectfailed|rejected)|` +
		`imagepreparationtimedout|provisioningtimedout|mainprocessfailed`

	// conditionOf goes before words that are a reason of OpenShell's only where a condition is told. reasons marks
	// those in one word.
	conditionOf = `(?:reason|phase|ready=false|status=false|error phase|condition).{0,60}`

	// The workload is gone and its data is not: start is refused, and delete would throw the data away.
	lostWorkload = conditionOf + `(?:containerexited|containerdead|processexited|mainprocessexited)|oomkilled.{0,80}(?:openshell|sandbox)|` +
		`out of memory.{0,80}sandbox|controlsupervisor exited|runtime descriptor is missing|must be stopped to start \(current phase: error\)`
	stoppedByOutage   = `condition gatewayunreachable|gateway outage limit`
	restartedRuntime  = `containerruntimerestart|condition containerstopped`
	badWorkspace      = `workspacevalidationfailed|workspace root .{0,80}(?:not writable|does not exist|must exist)`
	strangeContainer  = `outerfenceviolation`
	supervisorImage   = `controlsupervisorstartfailed`
	recordWithoutBody = `backendresourcemissing|computeresourcemissing`

	sandboxGone = `sandbox container has no id|sandbox ` + quotedName + ` (?:was|is)? (?:not |n't )found|workspace (?:'[^']*'|"[^"]*") not found|message: "workspace not found|no such sandbox|unknown sandbox|` +
		`sandbox ` + quotedName + ` (?:does not exist|no longer exists)|no docker container labeled`
	// The names of other things that are not found as well.
	otherGone = `(?:provider|profile|service endpoint|chunk|image|policy|secret|namespace) ` + quotedName + ` not found|is not a recognized provider type`

	sandboxBackup = `ssh tar (?:create|extract) exited with status|failed to extract tar archive from sandbox|downloaded archive did not contain|failed to back up sandbox|incomplete snapshot retained|failed files:|backup failed \(|backup cleanup failed|restore failed\.|` +
		`state restore was incomplete|state backup failed|to prevent data loss|rebuild-manifest|pre-?backup audit|credential sanitization failed|` +
		`snapshot (?:authority|provider failed)|partial restore:|snapshot path '[^']*' already exists|sandbox.{0,60}snapshot.{0,40}(?:rejected|unsafe|invalid|corrupt)`
	anyBackup = `(?:unsafe|absolute|escaping|dangling) sym(?:bolic)? link|hard ?links?|` +
		`tar: .{0,120}(?:permission denied|file changed as we read it|file shrank|file removed before|unexpected eof|cannot)|` +
		`(?:backup|back up|backed up|snapshot|restore|archive).{0,120}(?:checksum|digest|corrupt|damaged|truncated|permission denied|exceed|maxbuffer|enobufs|` +
		`symlink|manifest|sanitiz|rejected|unsafe|failed|incomplete)`
	// NemoClaw's summary of a run that saved nothing. It says "not running" whatever the cause was.
	savedNothing = `pre-upgrade backup: 0 backed up|strict pre-upgrade backup requires`

	ourLock = `sandboxes\.json\.lock|lock.{0,60}sandboxes\.json|mutation lock|mcp-lifecycle-lock|lifecycle lock|onboard\.lock|registry lock|` +
		`mutation containment|another (?:nemoclaw|onboard|sandkeeper)|locked by another run`
	lockHeld = `failed to acquire (?:the)? lock|could not acquire (?:the)? lock|unable to acquire (?:the)? lock|lock changed ownership|lock is held|held by (?:pid|process)|lock timed out|` +
		`timed out waiting for.{0,40}lock|locked by (?:another|pid|process)|stale lock|waiting for.{0,40}lock`
)
