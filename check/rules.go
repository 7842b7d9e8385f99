package check

//go:generate go run ../internal/gen/checks

// Rules gives the rules that need nothing but the documents and the model.
// Package analyze has those that run Istio's code.
func Rules() []Rule {
	return []Rule{
		Readable(),
		Problems(),
		Broker(),
		Decoding(),
		Names(),
		Duplicates(),
		Images(),
		Workloads(),
		Services(),
		Sizes(),
		Shadows(),
		Delegates(),
		Hosts(),
		Escapes(),
		Expressions(),
		Subsets(),
		Weights(),
		EventWeights(),
		Bypass(),
		Sticky(),
		PortPolicies(),
		Lookup(),
		Timeouts(),
		Retries(),
		Faults(),
		Custom(),
	}
}
