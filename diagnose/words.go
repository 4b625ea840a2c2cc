package diagnose

import "sandkeeper/openshell"

// The words of the rules, for squeezed lower-case text; the spaces are for the reader and taken out (see compiled). A
// span of unrelated words is bounded, so that two lines of a long log do not make one message.

// Texts of decoders (docs/facts/openshell.md 4.2, docs/facts/demand.md B), and gRPC statuses in the spellings of
// tonic (Rust, OpenShell's CLI), Go, Python and JavaScript.
const (
	prostReason = `(?:invalid wire type|invalid tag value|invalid varint|unexpected end group tag|delimited length exceeded|buffer underflow|` +
		`invalid string value|recursion limit reached|` + openshell.RareReasons + `)`
	decoding = `(?:failed to decode protobuf|protobuf decode|proto decode|` + prostReason + `|failed to unmarshal the received message|` +
		`cannot parse invalid wire-format data|error unmarshalling request|(?:wrong|illegal|unexpected|unknown|bad) wire[ -]?type|proto(?:col )?buf(?:fer)? pars(?:e|ing) (?:error|failure)|illegal tag \d|exception deserializing response|` +
		`response message parsing error|error parsing message|string field [^:]{0,80}contains invalid utf-8|` +
		`proto: \(line[0-9:]+\): (?:unknown field|invalid value for)|while parsing a protocol message|protocol message contained an invalid tag|` +
		openshell.DecoderSentences + `)`
	tonicInternal = `(?:status: internal, message:|code: 'internal error', message:)`
	unimplemented = `(?:status: unimplemented|code: 'operation is not implemented or not supported'|code = unimplemented|code: unimplemented|` +
		`12 unimplemented|statuscode\.unimplemented|"code":"unimplemented"|unimplemented: method [a-z0-9_./]{1,120} is unimplemented|unknown (?:method|service) [a-z]* (?:for service)? openshell\.)`
	tonicMissing = `(?:status: unimplemented, message:|code: 'operation is not implemented or not supported'|is not supported by this gateway version)`
	// A command line that lacks what was asked of it, in the words of clap.
	olderCLI    = `(?:unrecognized subcommand|unexpected argument|invalid subcommand) '[^']{1,60}'.{0,240}usage: openshell`
	unauthentic = `(?:status: unauthenticated|code: 'the request does not have valid authentication credentials')`
	denied      = `(?:status: permissiondenied|code: 'the caller does not have permission to execute the specified operation')`
	// A request that was understood and is about something else: a provider, a workspace, a bad argument.
	otherRequest = `(?:code: 'some requested entity was not found'|status: notfound|code: 'some entity that we attempted to create already exists'|` +
		`status: alreadyexists|code: 'client specified an invalid argument'|status: invalidargument)`
	// A program that fetches or builds OpenShell, and not OpenShell.
	fetched = `fatal: unable to access|failed to run custom build command|could not compile|curl: \(`
)

// Schema mismatches.
const (
	// ourField is a field in the path that prost prints before its reason, outermost message last.
	ourField = ourMessage + `\.[a-z_]+:`
	// ourMessage is a message of OpenShell's API.
	ourMessage = `(?:sandbox|sandboxspec|sandboxtemplate|sandboxstatus|sandboxcondition|sandboxpolicy|objectmeta|sandboxresponse|` +
		`(?:list|get|create|delete|stop|start|exec|attach|detach|watch|update|refresh|report)sandbox[a-z]*(?:request|response|event)|` +
		`[a-z]*sshsession[a-z]*|(?:list|get|create|update)(?:provider|workspace)[a-z]*(?:request|response)|providerresponse|inferenceroute|` +
		`workspaceselector|getgatewayinfo(?:request|response)|healthresponse)`
	ourDecode = ourField + `.{0,160}?` + prostReason + `|` + ourStack
	// ourStack is the same path as Rust prints an error for programmers, innermost message last.
	ourStack = `description: "` + prostReason + `[^"]{0,80}", stack: \[(?:\("[a-z]{1,60}", "[a-z_]{1,60}"\),? ){0,6}\("` + ourMessage + `", "[a-z_]{1,60}"\)`
	// Kubernetes' own sandboxes (CRI).
	podSandbox = `podsandbox`
	// A listing that breaks on one stored row: the versions may agree, and the answer cannot be trusted all the same.
	storedDecode = `(?:list|get|decode) sandbox(?:es)? failed: .{0,80}` + decoding + `|openshell gateway/schema mismatch|` +
		`openshell gateway schema preflight failed|protobuf/schema mismatch output from openshell`
	// A 0.1 client against a 0.0 gateway: the selector message is read as a name (docs/facts/openshell.md 4.3); and a
	// phase that moved.
	silentDrift = `code: 'client specified an invalid argument', message: "workspace[_ ]?(?:scope|selector) (?:is)? (?:required|missing)|workspace'(?:\\u\{?[0-9a-f]{1,4}\}?|\\x[0-9a-f]{2}|\\[abefnrtv]|[^a-z0-9'])+[a-z0-9][a-z0-9._-]*' not found|is not ready \(phase: unspecified\)|` +
		`sandboxes .{0,20}phase unspecified`
	tonicDecode = tonicInternal + `.{0,60}` + decoding
	// What is said of a schema as a whole; NemoClaw looks for such words too (src/lib/runtime-recovery.ts).
	schemaWords = `proto(?:buf)?[/ -]?(?:schema|wire(?:[ -]format)?|decode|decoding)[ -]?(?:mismatch|skew|drift|error|failed|failure|incompatib)|` +
		`proto(?:buf)? decode: invalid`
	// logged is what a log puts before a message: a time, a program, a level.
	logged = `(?:[\d:.,tz+-]{8,40})?(?:[a-z]{3}\d{1,2}[\d:]{8}[\w.-]{1,60}\[\d+\]:)?(?:std(?:err|out) [fp:])?(?:\[?(?:error|warn|fatal)\]?:?)?`
	// A decode error that stands alone: one message in the words of prost, or of Go's decoder, and nothing that says
	// whose it is.
	bareDecode = `(?:^` + logged + `|"(?:msg|message|error|err|stderr)":")(?:error:|fatal:|fatal error:)?(?:(?:prost::)?decodeerror:|protobuf decode(?: error)?:)?(?:failed to decode protobuf message:)?` +
		`(?:invalid wire type(?: value)?:[^"]{1,60}|invalid tag value:\d+|invalid varint|unexpected end group tag|delimited length exceeded|` +
		`buffer underflow|invalid string value:[^"]{1,40}|recursion limit reached)(?:$|")|` +
		`^` + logged + `(?:error:)?(?:rpc error: code = internal desc =)?(?:grpc: (?:failed to unmarshal the received message|error unmarshalling request):)?` +
		`proto: (?:\(line[0-9:]+\):)?cannot parse (?:invalid wire-format data|reserved wire type)$|` +
		`^` + logged + `(?:error:)?(?:rpc error: code = internal desc =)?grpc: failed to unmarshal the received message:?$`
	// The same words as another type of error prints them, with the path of its own message.
	otherDecoder = `kind:decode|stack:\[\(`
	foreignPath  = `failed to decode protobuf message: [a-z0-9_]+\.[a-z0-9_]+:`

	supervisor = `(?:openshell_sandbox|openshell-sandbox|openshell_supervisor|\[sandbox\]\[|supervisor|log push|policy poll|connectsupervisor|` +
		`relaystream|pushsandboxlogs)`
	logPush    = `log push connect failed`
	notReached = `tcp connect error|connection refused|connection reset|dns error|timed out|no route to host`

	supervisorMismatch = logPush + `|` +
		supervisor + `.{0,200}(?:` + decoding + `|` + unimplemented + `|protocol (?:version)? mismatch|unsupported protocol|protocol version [0-9.]{0,10} is not supported)|` +
		`(?:log push|policy poll|pushsandboxlogs).{0,80}` + tonicInternal + `|` +
		`(?:` + decoding + `|` + unimplemented + `).{0,200}(?:connectsupervisor|relaystream|pushsandboxlogs|log push|openshell_sandbox)|` +
		`(?:supervisormessage|gatewaymessage|relayframe|pushsandboxlogsrequest)\.[a-z_]+:.{0,160}` + prostReason
	supervisorAuth = supervisor + `.{0,200}(?:` + unauthentic + `|expiredsignature|invalid token)|handshake verification failed|` +
		`(?:refresh|issue)sandboxtoken.{0,80}(?:unauthenticated|rejected|expired|denied|failed)|` +
		`sandbox (?:jwt|token) (?:is|has)? (?:expired|invalid|rejected)|(?:invalid|expired|missing|unknown) sandbox (?:jwt|token|credential|secret)|` +
		`sandbox\.jwt|handshake secret|serviceaccount token for sandbox jwt.{0,80}unauthenticated|sandbox principal|sandbox jwt minting|sandbox callback rpcs only`
)

// The gateway's database.
const (
	// sqlx's own texts (sqlx 0.8, MigrateError). OpenShell numbers its migrations 1, 2, 3; who dates them is somebody
	// else.
	misfit = `(?:was previously applied but (?:is missing|has been modified)|is partially applied; fix and remove|` +
		`is not present in the migration source|is (?:older|newer) than the latest applied)`
	migration      = `migration \d{1,3} ` + misfit + `|(?:versionmissing|versionmismatch)\(\d{1,3}\)`
	datedMigration = `migration \d{4,14} ` + misfit
	executionError = `execution error: migration error`
	databaseNewer  = `(?:gateway|openshell)(?:'s)? (?:state)? (?:database|db).{0,160}(?:newer|incompatible|not compatible)|incompatible gateway database|` +
		`database (?:schema)? (?:is|was) (?:written by (?:a)?)? (?:newer|later)`
	databaseLocked = `database (?:table|schema)? is locked|sqlite_busy`
	// Words of SQLite and of PostgreSQL for a table that is held, and for one that is not as the program was built for.
	relationLocked = `could not obtain lock on|due to lock timeout`
	otherTables    = `no such (?:column|table)|has no column named|mismatched types; rust type|(?:column|relation) "[^"]{1,60}" (?:does not exist|already exists)`
	// The file, not what is in it, stopped a migration.
	databaseUnusable = `migration error:.{0,160}(?:readonly database|malformed|unable to open|disk i/o|is full|permission denied|no space left|timed out)`
)

// TLS, credentials and the other end of the line. Those that begin with rust are worded as OpenShell's own libraries do
// (rustls, hyper, h2, tonic).
const (
	clientCert = `received fatal alert: (?:unknownca|badcertificate|certificaterequired|certificateexpired|certificateunknown|certificaterevoked)|` +
		`failed to read tls (?:cert|key) from|certificate required|certificate_required|peer sent no certificates|no client cert|` +
		`client cert(?:ificate)? (?:is|was)? (?:required|missing|not sent|not found)|(?:requires|missing|without) (?:a)? client (?:tls)? cert|` +
		`mtls certificates for gateway|tls client (?:cert|key) is required|private key found in tls key pem|no cert/sigscheme available|did(?: not|n't) (?:send|present|provide) a (?:client)? cert|mtls/tls\.(?:crt|key).{0,60}(?:no such file|permission denied)|` +
		`(?:read|load|open|parse|find) (?:the)? (?:tls)? client (?:tls)? (?:cert|key|identity)`
	localCA = `failed to read tls ca from|tls ca is required`
	// The words of Go's own TLS for a server that refused the client's certificate.
	anyClientCert = `remote error: tls: (?:bad certificate|certificate required|unknown certificate|expired certificate|revoked certificate|unknown ca)`
	rustTrust     = `invalid peer certificate|received fatal alert|bad signature|unknownissuer|notvalidforname|certnotvalid`
	anyTrust      = `self-?signed certificate|certificate[ _]verify[ _]failed|certificate signed by unknown authority|certificate has expired|unknown ca|certificate is (?:valid for|not valid)|` +
		`cannot validate certificate|certificate is not trusted|unable to get (?:local )?issuer certificate`

	rustProtocol = `grpc-status header missing|mapped from http status code|invalid http version parsed|received corrupt message|frame with invalid size|` +
		`invalid compression flag|status: connected \(http\)|"status":"connected_http"`
	anyProtocol = `wrong[_ ]version[_ ]number|invalid content-type|http/1\.[01]400|protocol_error|http2 error|not a grpc server|unexpected http status code|` +
		`frame too large|received http2 header with status|looked like an http/1\.1 header|malformed http response|server gave http response to https client|` +
		`unexpected content-type|does not look like a tls handshake|missing selected alpn property`
	// A web server that was asked for a call: its status may read as that of a call that it does not know.
	webAnswer = `unexpected http status code received from server|received unexpected content-type`
	// http2's word for a peer that is gone.
	keptAlive = `keep-?alive timed out`

	rustAuth = unauthentic + `|` + denied + `|missing authorization header|missing gateway auth token|expiredsignature|requires admin privileges|permission denied \(requires |` +
		`no oidc token stored|no refresh token available|edge token required`
	anyAuth = `authentication (?:timed out|required|skipped|was denied)|authorization was denied|device (?:code|authorization) |oidc discovery|session (?:has)? expired|token exchange failed|oidc_client_secret|` +
		`http error: 40[13]|code = (?:unauthenticated|permissiondenied)|16 unauthenticated|7 permission_denied|statuscode\.(?:unauthenticated|permission_denied)|(?:unauthenticated|permission_denied): |unauthorized|forbidden|authentication failed|device identity required|(?:oidc|bearer|access|gateway|auth) token (?:for [^:;]{1,40}?)? (?:has|is|was)? (?:expired|invalid|missing)|` +
		`(?:invalid|expired|missing) (?:oidc|bearer|access|gateway|auth)? token|not authenticated|not logged in|token refresh failed|token expired|invalid_grant|` +
		`access_denied|device authorization (?:failed|expired|denied)`

	noAnswer = `tonic::transport::error\(transport|hyper::error\((?:canceled|body|connect|io|incompletemessage)|error reading a body from connection|` +
		`websocket connect failed: io error|(?:status: deadlineexceeded, message:|code: 'deadline expired before operation could complete', message:)|` +
		`(?:status: cancelled|code: 'the operation was cancelled'), message: "timeout expired|tls handshake eof|failed to connect to gateway '|client error \(connect\)|tcp connect error|transport error|error trying to connect|status: unavailable|` +
		`code: 'the service is currently unavailable'|status: disconnected|"status":"disconnected"`
	// The last line of OpenShell's own error, in the words of Rust's standard library.
	refusedAlone = `^(?:error:)?connection (?:refused|reset by peer|timed out) \(os error \d+\)$`
	refusedToUs  = `connection refused|econnrefused|connection reset|connection timed out|no route to host|broken pipe|deadline exceeded|` +
		`deadline expired before|not reachable|unreachable|dns error|connection closed|operation timed out|code = unavailable|14 unavailable|` +
		`failed to connect to all addresses|statuscode\.unavailable|upstream connect error|no healthy upstream|produced zero addresses|no answer in time|timed out|does not answer|(?:could not|cannot) reach (?:the)? (?:openshell)? gateway|i/o timeout|no such host|name or service not known|temporary failure in name resolution|ensure openshell is running`
)

// Registrations of gateways.
const (
	notRegisteredSurely = `no active gateway|no gateway metadata found|no metadata found for gateway`
	notRegistered       = `unknown gateway '|failed to (?:parse|read) gateway metadata|failed to read metadata from .{0,160}/gateways/|no gateway configured|"status":"not_configured"|no gateways found|gateway (?:'[^']*'|"[^"]*"|[a-z0-9-]{0,30}) (?:is|was)? not (?:found|registered)|` +
		`gateway registration ` + quotedName + ` (?:is|was)? (?:missing|gone|lost|removed|not found)`
)

// The OpenClaw agent gateway (port 18789) runs inside the sandboxes and has its own "gateway", "version mismatch" and
// "startup migrations" (docs/facts/demand.md B).
const openClaw = `gateway\.controlui|gateway(?:client)?requesterror|gatewaytransporterror|port 18789|gateway\.(?:mode|bind|auth)=|\[openclaw\]|openclaw startup|openclaw gateway (?:run|status|is not|not)|wss?://[a-z0-9.\[\]:]*:18789|:18789`

// ourWords name OpenShell, what is built on it, or what only its messages name.
const ourWords = `openshell|:17670|port 17670|nemoclaw|sandkeeper|kaiden|` + ourDecode + `|list sandboxes|supervisor relay|docker-driver gateway|` +
	`sandboxes\.json|sandbox state|sandbox rebuild|gateway lifecycle|reportendpointstatus|getsandboxconfig|getsandboxproviderenvironment|pushsandboxlogs|` +
	`connectsupervisor|createsshsession`

// foreignWords name products whose errors read like ours.
const foreignWords = openClaw + `|atuin|mollysocket|pnpm|cargo\.toml|openobserve|opentelemetry|otelcol|uwsgi|npm err|sqlite3\.|sqlalchemy|django|postgres(?:ql)?:|psycopg|flyway|liquibase|alembic|prisma|` +
	`grafana|prometheus|etcd|kubelet|apiserver|containerd(?:[^e]|$)|dockerd(?:[^r]|$)|docker daemon|docker\.sock|response from daemon|ollama|:11434|port 11434|sccache|nokv|\[nest\]|` +
	`[ewif]\d{6}:\d\d:\d\d\.\d+.{0,30}\.go:|teleport|proto\.authservice|gobgp|dgraph|pachyderm|qdrant|milvus|temporal|tikv|tensorflow|bazel|` +
	`whatsapp|signal-|polkadot|lighthouse|solana|ethereum|redis|mysql|mongodb|kafka|consul|vault|terraform|argocd|istio|envoy|linkerd|traefik|` +
	`nginx|haproxy|e2b|modal\.|daytona|codesandbox|better-sqlite3|home-assistant|surrealdb|meilisearch|influxdb|cockroach|elasticsearch|wstunnel|firezone|buildkit|/var/lib/dpkg|apt-get|\.git/index\.lock|curl:`

// languageWords are how programs in other languages than OpenShell's print what ended them: somebody else's, unless the
// text names us as well.
const languageWords = `at java\.|exception in thread|traceback \(most recent|(?:value|type|range|key|attribute)error:`
