package xds

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// resource is one that was accepted.
type resource struct {
	message proto.Message
	sum     [sha256.Size]byte
	version string // of this resource; delta only
	references
}

// sent is a resource as it came.
type sent struct {
	name    string // "" where the protocol does not tell it
	version string
	body    *anypb.Any
}

// response is one of either protocol.
type response struct {
	url       string
	version   string
	nonce     string
	resources []sent
	removed   []string
	complete  bool // state of the world: what is not in it is gone
}

// decoded is what came, read.
type decoded struct {
	name    string
	sum     [sha256.Size]byte
	version string
	message proto.Message
}

// decode reads a whole response. Like Envoy it refuses all of it where one
// resource cannot be read or is there twice.
func decode(k kind, r response) ([]decoded, error) {
	var out []decoded
	seen := map[string]bool{}
	for _, s := range r.resources {
		d, err := decodeOne(k, s)
		if err != nil {
			return nil, err
		}
		if seen[d.name] {
			return nil, fmt.Errorf("duplicate %s %s found", traitsOf[k].noun, d.name)
		}
		seen[d.name] = true
		out = append(out, d)
	}
	return out, nil
}

func decodeOne(k kind, s sent) (decoded, error) {
	body := s.body
	if body.MessageIs(&discoveryv3.Resource{}) {
		wrapper := &discoveryv3.Resource{}
		if err := body.UnmarshalTo(wrapper); err != nil {
			return decoded{}, fmt.Errorf("a resource of type %s cannot be read: %w", traitsOf[k].url, err)
		}
		s.name, body = wrapper.GetName(), wrapper.GetResource()
	}
	if body.GetTypeUrl() != traitsOf[k].url {
		return decoded{}, fmt.Errorf("a resource %q is of type %s, not %s", s.name, body.GetTypeUrl(), traitsOf[k].url)
	}
	m := traitsOf[k].empty()
	if err := proto.Unmarshal(body.GetValue(), m); err != nil {
		return decoded{}, fmt.Errorf("the %s %q cannot be read: %w", traitsOf[k].noun, s.name, err)
	}
	name := traitsOf[k].name(m)
	if name == "" {
		name = s.name
	}
	if name == "" {
		return decoded{}, fmt.Errorf("a %s has no name", traitsOf[k].noun)
	}
	return decoded{name: name, version: s.version, message: m, sum: sha256.Sum256(body.GetValue())}, nil
}

// validate applies Envoy's own constraints and then the proxy's.
func validate(k kind, d decoded, check func(typeURL, name string, m proto.Message) error) error {
	if v, ok := d.message.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("Proto constraint validation failed (%w)", err) //nolint:staticcheck // Envoy's words
		}
	}
	if check == nil {
		return nil
	}
	return check(traitsOf[k].url, d.name, d.message)
}

// refusals is the text of a NACK that names each refused resource.
func refusals(k kind, faults map[string]error) error {
	if len(faults) == 0 {
		return nil
	}
	var parts []string
	for name, err := range faults {
		parts = append(parts, name+": "+err.Error())
	}
	slices.Sort(parts)
	return errors.New(traitsOf[k].refused + strings.Join(parts, ", "))
}
