package diagnose

// A gateway that does not start. OpenShell words such an end by the kind of the error (OpenShell,
// crates/openshell-core/src/error.rs): "configuration error: …", "execution error: …", "TLS error: …", each after
// miette's "Error: ×".
const (
	startErrorKind = `(?:error:|openshell::[a-z]+)(?:configuration|execution|tls|process|i/o) error:`
	// What such an error of a gateway is about; other Rust programs have configurations as well.
	startSubject = `.{0,300}(?:docker|podman|kubernetes|driver|compute|sandbox|gateway|openshell|supervisor|listener|bind|address already in use|` +
		`permission denied|jwt|oidc|tls|cert|private key|database|postgres|sqlite|key-encryption|credential|namespace)`
	serverError = `(?:configuration|execution) error:|error:(?:tls|process|i/o) error:|transport error: failed to bind`

	// What the gateway tries before it listens.
	computeFailed = `failed to create compute runtime|error in the hyper legacy client|docker socket found at .{1,120} but the daemon is not responding`
	startStep     = `gateway interceptor initialization failed|middleware registration failed|oidc initialization failed|` +
		`failed to (?:switch sqlite database|install rustls crypto provider|ensure default workspace|install metrics recorder)|` +
		`no compute driver (?:is|was)? (?:configured|available|found|selected)|openshell-driver-[a-z-]+ (?:is|was)? not found|no suitable (?:compute)? driver|in-cluster kubernetes client|--namespace is required|openshell_grpc_endpoint is required|compute driver '[^']*' (?:is not|was not|requested|registered|requires|failed)|` +
		`failed to (?:read|parse|load) (?:the)? (?:sandbox jwt|server certificate)|` +
		`crates/openshell-(?:server|driver|gateway)[a-z-]*/src/[a-z_/]*\.rs:\d+`

	// The files that generate-certs writes together (OpenShell, crates/openshell-core, openshell-server's certgen).
	partialState = `partial (?:local)? (?:tls|pki|sandbox jwt) state`

	// The gateway's own options, in the words of clap and of its own checks.
	gatewayOption = `--(?:tls-(?:cert|key|client-ca)|disable-tls|enable-mtls-auth|compute-driver(?:-socket)?|drivers?|health-port|metrics-port|` +
		`server-secret-name|client-secret-name|jwt-secret-name|grpc-rate-limit[a-z-]*).{0,80}(?:is required|are required|requires|must|mutually exclusive|positive)|` +
		`(?:authentication|tls|listener) requires --[a-z-]+|mtls user authentication (?:requires|is not supported)|` +
		`invalid value '[^']{0,80}' for '--(?:compute-driver|drivers?)|` +
		`error: (?:unexpected argument|invalid value|the following required arguments|the argument|one or more required).{1,400}usage: openshell-gateway`

	// An option of the command line's own.
	clientOption = `--driver-config-json`

	// The configuration file, since 0.1 of version 2 (docs/facts/openshell-0.1.md 4.1, 4.2).
	configFile = `(?:invalid|unsupported|unknown|failed to (?:read|parse|load)|not allowed in the) gateway config (?:uration)? (?:file|field|version|key)|` +
		`(?:gateway\.toml|\[openshell[\].]).{0,240}(?:unknown field|missing field|missing_version|invalid|unsupported|not valid|is required|` +
		`parse error|expected|duplicate key|does not exist|not a regular file|sym(?:bolic )?link|permission denied|no such file)|` +
		`(?:invalid|unknown field|missing field|missing_version|unsupported|parse error|duplicate key).{0,240}(?:gateway\.toml|\[openshell[\].])|` +
		`openshell-gateway config preflight.{0,200}(?:fail|error|not valid|invalid)|` +
		`(?:config|configuration) preflight (?:failed|error)|unsupported (?:config|configuration|schema) version`

	// A gateway without any way to authenticate ends at its start since 0.1.6 (docs/facts/openshell-0.1.md 2.2).
	noAuth = `no (?:user)? auth(?:entication)? (?:method|mechanism)? (?:is|are|was)? configured|allow_unauthenticated_users|` +
		`(?:neither|none of) .{0,100}(?:oidc|mtls|jwt).{0,100}configured`
	onlyWarned = `warnopenshell|warn\]`

	// The service manager about the gateway's unit.
	gatewayUnit = `(?:openshell|nemoclaw)[a-z0-9@:._-]{0,40}gateway[a-z0-9@._-]{0,20}`
	unitFailed  = gatewayUnit + `.{0,400}(?:active: failed|auto-restart|is masked|bad unit file|result: [a-z]+-[a-z]+|failed with result|start request repeated|scheduled restart job|entered failed state|` +
		`(?:main|control)? process (?:,|has)? exited|code=(?:exited|dumped|killed),? ?status=[1-9]|failed because the|dependency failed|failed at step|start operation timed out)|` +
		`(?:failed to (?:re)?start|job for|dependency failed for|unable to start) (?:the)? (?:snap\.)?` + gatewayUnit + `|` +
		`(?:start snap service|start of \[) openshell\..{0,200}(?:failed|error)|openshell error \d|` +
		`(?:bootstrap failed|load failed|failure while executing).{0,240}homebrew\.mxcl\.openshell`

	// The container engine about the gateway's container.
	containerFailed = `(?:openshell-gateway|openshell-cluster[a-z0-9-]*).{0,200}(?:port is already allocated|exited with code|exited \([1-9]|` +
		`command not found|oci runtime|no such image|manifest unknown|pull access denied|is not running|is unhealthy|restarting \()|` +
		`unable to start container .{0,20}openshell-(?:gateway|cluster)|` +
		`response from daemon: .{0,200}(?:openshell-gateway|openshell-cluster|openshell/(?:gateway|cluster))|` +
		`(?:port is already allocated|oci runtime|no such image|manifest unknown|pull access denied|failed to pull image).{0,200}(?:openshell-gateway|openshell-cluster|openshell/(?:gateway|cluster))`

	// The cluster generation (0.0.36 and older) ran k3s in the gateway's container.
	clusterFailed = `failed to (?:create|read) secret openshell-|k8s namespace not ready|timed out waiting for namespace 'openshell'|corrupted cluster state|gateway container is not running|` +
		`gateway failed: [a-z0-9-]+ |failed to run kubelet|failed to find [a-z]+ cgroup|/sys/fs/cgroup/kubepods|` +
		`(?:secret|configmap) "openshell-[a-z0-9-]+" not found|` +
		`(?:back-off restarting|crashloopbackoff|(?:readiness|liveness|startup) probe failed|failedmount|imagepullbackoff|errimagepull).{0,200}openshell-(?:gateway|0)|` +
		`openshell-(?:gateway|0).{0,200}(?:back-off restarting|crashloopbackoff|probe failed|failedmount|imagepullbackoff|errimagepull)`

	startFailed = `gateway failed to start|gateway (?:\(pid \d+\))? exited (?:during|at)|gateway needs this port|gateway (?:refuses|refused) to start|gateway process .{0,20}exited|gateway .{0,30}(?:cannot|could not|unable to|fails? to) start|exited before becoming ready|auto-start failed|` +
		`failed to start (?:the)? (?:openshell|docker-driver)? gateway|gateway binary (?:could not be started|not found|is missing)|` +
		`openshell-gateway: .{0,80}(?:glibc|error while loading|libc\.|command not found|exec format|permission denied)|require gateway jwt auth|` +
		`gateway did not become (?:healthy|ready)|gateway start(?:-?up)? failed|gateway start returned before healthy|could not start (?:the)? gateway|` +
		`openshell-gateway (?:\.service)? :? (?:main process)? (?:exited|failed|crashed)|gateway.{0,60}address already in use|` +
		`address already in use.{0,60}gateway|timed out waiting for (?:the)? gateway|gateway exited with (?:code|status)|` +
		`openshell(?:-|_)(?:gateway|server).{0,120}(?:failed to bind|address already in use|unknown field|panicked at)|` +
		`panicked at .{0,20}openshell-(?:gateway|server)|(?:failed to bind|address already in use).{0,80}openshell(?:-|_)`

	engineSilent = `cannot connect to the docker daemon|docker daemon is not running|is the docker daemon running|podman socket not found|unable to connect to podman`
	gatewayNamed = `openshell-gateway|openshell gateway|docker-driver gateway|openshell_driver|openshell_server`
	// The gateway's program itself says what it could not do. The gateway's program says anything and ends: nothing of
	// this stands in the log of one that runs, whose lines have a time and a level.
	gatewayEnded = `^` + logged + `openshell-gateway(?:\[\d+\])?:(?:error:|fatal:|[a-z])|` +
		`error openshell_(?:gateway|server)(?:::[a-z_:]+)?:(?:fatal|.{0,40}initiali[sz]ation failed)`
	gatewayTalks  = `openshell-gateway(?:\[\d+\])?:(?:info|debug|trace|warn|listening|starting|using)`
	gatewayCannot = `(?:^|fatal|error|[0-9]z|\s)openshell-gateway(?:\[\d+\])?: .{0,40}(?:cannot|could not|unable to|failed to|can't) ` +
		`(?:create|open|read|write|bind|listen|load|find|connect|start|initiali[sz]e|parse|resolve|execute|set)`
	libraryMissing = `glibc_|libc\.so|error while loading shared libraries|dyld.{0,40}library not loaded`
)
