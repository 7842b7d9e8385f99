package live

type samplerKey struct{}
type sampler struct{}
