package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
)

// CodeBroker is the code of a broker that nothing in the files provides.
const CodeBroker = "MS0404"

// Broker looks for the Kafka that services publish to, where the settings say
// that somebody else runs it.
func Broker() Rule {
	return Rule{
		Codes: []string{CodeBroker},
		Name:  "broker",
		Doc:   "Services use a Kafka that nothing in the files provides.",
		Rows: []Row{
			{Code: CodeBroker, Severity: "info",
				Means: "contexts use Kafka, and nothing in the files is reachable by the brokers' name",
				Todo:  "install it, or `kafka: dev`"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			if in.Intent == nil || in.Intent.Settings.Kafka.Mode != "external" {
				return nil
			}
			users := brokerUsers(in.Intent)
			var found []Finding
			for address := range strings.SplitSeq(in.Intent.Settings.Kafka.Brokers, ",") {
				host, _, _ := strings.Cut(strings.TrimSpace(address), ":")
				if len(users) > 0 && !provided(in, host) {
					found = append(found, brokerFinding(in.Intent.Settings, host, users))
				}
			}
			return found
		},
	}
}

func brokerUsers(m *deploy.Model) []string {
	var users []string
	for _, s := range m.Services {
		if s.Events {
			users = append(users, s.Name)
		}
	}
	return users
}

func brokerFinding(s *deploy.Settings, host string, users []string) Finding {
	who := strings.Join(users[:min(len(users), 3)], ", ")
	if len(users) > 3 {
		who += fmt.Sprintf(" and %d more", len(users)-3)
	}
	return Finding{
		Code: CodeBroker, Severity: Info, File: deploy.SettingsFile,
		Message: fmt.Sprintf("%s publish or consume events through Kafka at %s, and no Service or ServiceEntry in the files provides that host; without one in the cluster they cannot connect (kafka.brokers is %s, from: %s)",
			who, host, s.Kafka.Brokers, s.Origin("kafka.brokers")),
		Fix: "install Kafka under that name, set kafka.brokers to yours, or write `kafka: dev` for a one-broker Kafka beside the services",
	}
}

// provided reports whether a Service or ServiceEntry of the files answers to a
// host name.
func provided(in *Input, host string) bool {
	name, rest, _ := strings.Cut(host, ".")
	namespace, _, _ := strings.Cut(rest, ".")
	for _, r := range in.Resources() {
		id := r.Document.ID
		switch id.Kind {
		case "Service":
			if id.Name == name && (rest == "" || r.namespace == namespace) {
				return true
			}
		case "ServiceEntry":
			hosts, _ := r.at("spec.hosts").([]any)
			if slices.ContainsFunc(hosts, func(h any) bool { return h == host }) {
				return true
			}
		}
	}
	return false
}
