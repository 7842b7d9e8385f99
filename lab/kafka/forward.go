package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxMessage is Kafka's own limit of a request, socket.request.max.bytes.
const maxMessage = 100 << 20

// sent is a request that waits for its answer.
type sent struct{ key, version int16 }

// forward carries requests one way and answers the other, and puts the
// advertised address into the answers that name the broker. Kafka answers the
// requests of a connection in order (the protocol guide, "Network").
func forward(client, broker net.Conn, advertise endpoint) error {
	pending := make(chan sent, 4096)
	var once sync.Once
	end := func() {
		once.Do(func() { _, _ = client.Close(), broker.Close() })
	}
	defer end()
	failed := make(chan error, 2)
	go func() {
		failed <- requests(broker, client, pending)
		end()
	}()
	go func() {
		failed <- answers(client, broker, pending, advertise)
		end()
	}()
	err := <-failed
	end()
	return errors.Join(err, <-failed)
}

func requests(to io.Writer, from io.Reader, pending chan<- sent) error {
	defer close(pending)
	for {
		message, err := read(from)
		if err != nil {
			return err
		}
		if len(message) < 4+8 {
			return fmt.Errorf("a request of %d bytes is no Kafka request", len(message)-4)
		}
		s := sent{key: int16(binary.BigEndian.Uint16(message[4:])), version: int16(binary.BigEndian.Uint16(message[6:]))}
		if !unanswered(s, message) {
			pending <- s
		}
		if _, err := to.Write(message); err != nil {
			return err
		}
	}
}

// unanswered tells whether a request is a produce with acks=0, the only one
// that Kafka does not answer.
func unanswered(s sent, message []byte) bool {
	if s.key != 0 {
		return false
	}
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(s.version)
	body, ok := skipRequestHeader(message[4:], req.IsFlexible())
	if !ok || req.ReadFrom(body) != nil {
		return false
	}
	return req.Acks == 0
}

// skipRequestHeader leaves out key, version, correlation ID, client ID and, in
// flexible versions, tags.
func skipRequestHeader(b []byte, flexible bool) ([]byte, bool) {
	if len(b) < 10 {
		return nil, false
	}
	n := int(int16(binary.BigEndian.Uint16(b[8:])))
	b = b[10:]
	if n > 0 {
		if len(b) < n {
			return nil, false
		}
		b = b[n:]
	}
	if flexible {
		return skipTags(b)
	}
	return b, true
}

func skipTags(b []byte) ([]byte, bool) {
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, false
	}
	b = b[n:]
	for range count {
		if _, n = binary.Uvarint(b); n <= 0 {
			return nil, false
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || uint64(len(b)-n) < size {
			return nil, false
		}
		b = b[n+int(size):]
	}
	return b, true
}

func answers(to io.Writer, from io.Reader, pending <-chan sent, advertise endpoint) error {
	for {
		message, err := read(from)
		if err != nil {
			return err
		}
		s, ok := <-pending
		if !ok {
			return io.EOF
		}
		if names(s.key) {
			if message, err = rewrite(message, s, advertise); err != nil {
				return err
			}
		}
		if _, err := to.Write(message); err != nil {
			return err
		}
	}
}

// read gives a whole message with its four bytes of size.
func read(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes; at most %d are taken", n, maxMessage)
	}
	message := make([]byte, 4+n)
	copy(message, size[:])
	_, err := io.ReadFull(r, message[4:])
	return message, err
}

// names tells whether answers to a request name brokers: Produce, Fetch,
// Metadata, FindCoordinator, DescribeCluster, ShareFetch, ShareAcknowledge.
func names(key int16) bool {
	switch key {
	case 0, 1, 3, 10, 60, 78, 79:
		return true
	}
	return false
}

func rewrite(message []byte, s sent, to endpoint) ([]byte, error) {
	response := kmsg.ResponseForKey(s.key)
	response.SetVersion(s.version)
	head := 4 // the correlation ID
	body := message[4+head:]
	if response.IsFlexible() {
		rest, ok := skipTags(body)
		if !ok {
			return message, nil
		}
		head += len(body) - len(rest)
		body = rest
	}
	if err := response.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("read the broker's answer to request %s version %d: %w", kmsg.NameForKey(s.key), s.version, err)
	}
	if !advertise(response, to) {
		return message, nil
	}
	out := response.AppendTo(append(make([]byte, 4, len(message)+64), message[4:4+head]...))
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out, nil
}

// advertise changes the brokers' addresses, and tells whether there were any.
func advertise(response kmsg.Response, to endpoint) bool {
	port := int32(to.port)
	changed := false
	set := func(host *string, number *int32) { *host, *number, changed = to.host, port, true }
	switch r := response.(type) {
	case *kmsg.ProduceResponse:
		for i := range r.Brokers {
			set(&r.Brokers[i].Host, &r.Brokers[i].Port)
		}
	case *kmsg.FetchResponse:
		for i := range r.Brokers {
			set(&r.Brokers[i].Host, &r.Brokers[i].Port)
		}
	case *kmsg.MetadataResponse:
		for i := range r.Brokers {
			set(&r.Brokers[i].Host, &r.Brokers[i].Port)
		}
	case *kmsg.FindCoordinatorResponse:
		if r.Host != "" {
			set(&r.Host, &r.Port)
		}
		for i := range r.Coordinators {
			if r.Coordinators[i].Host != "" {
				set(&r.Coordinators[i].Host, &r.Coordinators[i].Port)
			}
		}
	case *kmsg.DescribeClusterResponse:
		for i := range r.Brokers {
			set(&r.Brokers[i].Host, &r.Brokers[i].Port)
		}
	case *kmsg.ShareFetchResponse:
		for i := range r.NodeEndpoints {
			set(&r.NodeEndpoints[i].Host, &r.NodeEndpoints[i].Port)
		}
	case *kmsg.ShareAcknowledgeResponse:
		for i := range r.NodeEndpoints {
			set(&r.NodeEndpoints[i].Host, &r.NodeEndpoints[i].Port)
		}
	}
	return changed
}
