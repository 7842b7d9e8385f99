package server

// hello is what the TLS inspector takes from a ClientHello (RFC 8446, section
// 4.1.2).
type hello struct {
	server    string
	protocols []string
}

// helloState is how far a ClientHello could be read.
type helloState int

const (
	helloNone helloState = iota // these bytes are no ClientHello
	helloMore                   // the beginning of one
	helloFull
)

// maxHello is Envoy's limit for a ClientHello (TlsInspector, 16 kB).
const maxHello = 16 << 10

// parseHello reads a ClientHello from the first bytes of a connection; it may be
// split over several records.
func parseHello(b []byte) (hello, helloState) {
	message, state := handshakeOf(b)
	if state != helloFull {
		return hello{}, state
	}
	var h hello
	r := &reader{b: message}
	r.skip(2 + 32)         // legacy_version, random
	r.skip(int(r.uint8())) // legacy_session_id
	r.skip(int(r.uint16()))
	r.skip(int(r.uint8())) // legacy_compression_methods
	if r.bad {
		return hello{}, helloNone
	}
	if len(r.b) == 0 {
		return h, helloFull // no extensions
	}
	extensions := r.part(int(r.uint16()))
	for len(extensions.b) > 0 && !extensions.bad {
		kind := extensions.uint16()
		data := extensions.part(int(extensions.uint16()))
		switch kind {
		case 0:
			h.server = serverName(data)
		case 16:
			h.protocols = protocolNames(data)
		}
	}
	if r.bad || extensions.bad {
		return hello{}, helloNone
	}
	return h, helloFull
}

// handshakeOf joins the records' fragments into the body of the ClientHello.
func handshakeOf(b []byte) ([]byte, helloState) {
	var message []byte
	for {
		switch {
		case len(b) > 0 && b[0] != 22, len(b) > 1 && b[1] != 3:
			return nil, helloNone // no handshake record of TLS
		case len(b) < 5:
			return nil, helloMore
		}
		size := int(b[3])<<8 | int(b[4])
		if size == 0 || size > maxHello+256 {
			return nil, helloNone
		}
		fragment := b[5:]
		whole := len(fragment) >= size
		if whole {
			fragment = fragment[:size]
		}
		message = append(message, fragment...)
		if len(message) > 0 && message[0] != 1 {
			return nil, helloNone // another handshake message
		}
		if len(message) >= 4 {
			n := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
			if n > maxHello {
				return nil, helloNone
			}
			if len(message) >= 4+n {
				return message[4 : 4+n], helloFull
			}
		}
		if !whole {
			return nil, helloMore
		}
		b = b[5+size:]
	}
}

func serverName(r *reader) string {
	list := r.part(int(r.uint16()))
	for len(list.b) > 0 && !list.bad {
		kind := list.uint8()
		name := list.part(int(list.uint16()))
		if kind == 0 && !name.bad {
			return string(name.b)
		}
	}
	return ""
}

func protocolNames(r *reader) []string {
	var out []string
	list := r.part(int(r.uint16()))
	for len(list.b) > 0 && !list.bad {
		name := list.part(int(list.uint8()))
		if !list.bad && len(name.b) > 0 {
			out = append(out, string(name.b))
		}
	}
	return out
}

// reader takes bytes from the front; bad is set where they run out.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) skip(n int) { r.part(n) }

func (r *reader) part(n int) *reader {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return &reader{bad: true}
	}
	out := &reader{b: r.b[:n]}
	r.b = r.b[n:]
	return out
}

func (r *reader) uint8() uint8 {
	p := r.part(1)
	if p.bad {
		return 0
	}
	return p.b[0]
}

func (r *reader) uint16() uint16 {
	p := r.part(2)
	if p.bad {
		return 0
	}
	return uint16(p.b[0])<<8 | uint16(p.b[1])
}
