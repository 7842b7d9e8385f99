package manifest

// CommitSteps and RecoverSteps call a function before every file operation,
// which may end the process there.
var (
	CommitSteps  = commit
	RecoverSteps = recoverLocked
)
