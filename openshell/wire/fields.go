package wire

// Field numbers, by the message and field names of openshell.proto.
const (
	healthStatus = 1
	healthText   = 2

	infoDrivers = 3
	driverName  = 1

	metaID          = 1
	metaName        = 2
	metaCreatedMs   = 3
	metaLabels      = 4
	metaAnnotations = 6
	metaWorkspace   = 7
	metaCreatedTime = 103

	clusterID        = 1
	clusterName      = 2
	clusterSpec      = 4
	clusterStatus    = 5
	clusterPhase     = 6
	clusterCreatedMs = 7

	sandboxMetadata = 1
	sandboxSpec     = 2
	sandboxStatus   = 3
	sandboxPhase    = 4 // 0.0.37 to 0.0.52

	statusConditions = 5
	statusPhase      = 6

	conditionType    = 1
	conditionStatus  = 2
	conditionReason  = 3
	conditionMessage = 4

	specEnvironment = 5
	specTemplate    = 6
	specPolicy      = 7
	specProviders   = 8
	specResources   = 9
	specGPUDevice   = 10
	specCommand     = 12
	specTTY         = 13
	specEpoch       = 14

	resourcesGPU = 1

	templateImage          = 1
	templateLabels         = 4
	templatePod            = 8
	templateVolumeClaims   = 9
	templateUserNamespaces = 10
	templateDriverConfig   = 11

	listLimit          = 1 // page_size since 0.1.0
	listOffset         = 2 // page_token since 0.1.0
	listWorkspace      = 4 // workspace_scope since 0.1.0, of ListSandboxes
	listEverywhere     = 5 // to 0.0.116
	providersWorkspace = 3 // the same of ListProviders

	pageItems = 1
	pageNext  = 2

	nameName      = 1
	nameWorkspace = 2 // workspace_scope since 0.1.0

	policyVersion   = 2
	policyWorkspace = 4 // workspace_scope since 0.1.0
	policyRevision  = 1
	policyActive    = 2

	revisionVersion = 1
	revisionStatus  = 3
	revisionPolicy  = 7

	policyProcess = 4 // of SandboxPolicy
	processUser   = 1

	createSpec        = 1
	createName        = 2
	createLabels      = 3
	createAnnotations = 4
	createWorkspace   = 5
	createScope       = 7 // 0.1.0

	responseSandbox = 1

	deletedFlag    = 1
	deletedOutcome = 2

	execSandbox = 1 // its id; its name since 0.1.0
	execCommand = 2
	execScope   = 12 // 0.1.0

	eventStdout = 1
	eventStderr = 2
	eventExit   = 3
	eventData   = 1
	exitCode    = 1

	selectorWorkspace  = 1
	selectorEverywhere = 2
)
