package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// secrets are the certificates and validation contexts of the newest snapshot.
// Files are read again when a certificate is older than fileAge.
type secrets struct {
	spec *pod.Spec
	now  func() time.Time

	mu     sync.Mutex
	byName map[string]*tlsv3.Secret
	parsed map[*tlsv3.TlsCertificate]parsedCert
}

type parsedCert struct {
	cert *tls.Certificate
	at   time.Time
}

// fileAge is how long a certificate from files is used before the files are
// looked at again.
const fileAge = 5 * time.Second

func newSecrets(spec *pod.Spec, now func() time.Time) *secrets {
	return &secrets{spec: spec, now: now, parsed: map[*tlsv3.TlsCertificate]parsedCert{}}
}

// update takes a snapshot's secrets. Handshakes from now on use them.
func (s *secrets) update(all map[string]*tlsv3.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName = all
	for c := range s.parsed {
		delete(s.parsed, c)
	}
}

func (s *secrets) secret(name string) (*tlsv3.Secret, error) {
	if secret := fileSecret(name); secret != nil {
		return secret, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := s.byName[name]
	if secret == nil {
		return nil, fmt.Errorf("the secret %s is missing", name)
	}
	return secret, nil
}

// fileSecret is a secret that names its files, as istiod writes the paths of a
// Gateway's serverCertificate, privateKey and caCertificates:
// file-cert:CERT~KEY and file-root:CA.
func fileSecret(name string) *tlsv3.Secret {
	file := func(p string) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: p}}
	}
	if rest, ok := strings.CutPrefix(name, "file-cert:"); ok {
		cert, key, _ := strings.Cut(rest, "~")
		return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{
			TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: file(cert), PrivateKey: file(key)}}}
	}
	if rest, ok := strings.CutPrefix(name, "file-root:"); ok {
		return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{
			ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: file(rest)}}}
	}
	return nil
}

func (s *secrets) validation(name string) (*tlsv3.CertificateValidationContext, error) {
	secret, err := s.secret(name)
	if err != nil {
		return nil, err
	}
	if secret.GetValidationContext() == nil {
		return nil, fmt.Errorf("the secret %s has no validation context", name)
	}
	return secret.GetValidationContext(), nil
}

// certificate gives a certificate with its key, parsed once.
func (s *secrets) certificate(source certSource) (*tls.Certificate, error) {
	m := source.inline
	if m == nil {
		secret, err := s.secret(source.secret)
		if err != nil {
			return nil, err
		}
		if m = secret.GetTlsCertificate(); m == nil {
			return nil, fmt.Errorf("the secret %s has no certificate", source.secret)
		}
	}
	s.mu.Lock()
	have, ok := s.parsed[m]
	s.mu.Unlock()
	fresh := m.GetCertificateChain().GetFilename() == "" && m.GetPrivateKey().GetFilename() == "" || s.now().Sub(have.at) < fileAge
	if ok && fresh {
		return have.cert, nil
	}
	cert, err := s.parse(m)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", source.secret, err)
	}
	s.mu.Lock()
	s.parsed[m] = parsedCert{cert, s.now()}
	s.mu.Unlock()
	return cert, nil
}

func (s *secrets) parse(m *tlsv3.TlsCertificate) (*tls.Certificate, error) {
	switch {
	case m.GetPkcs12() != nil:
		return nil, errors.New("TlsCertificate.pkcs12 is not supported")
	case m.GetPrivateKeyProvider() != nil:
		return nil, errors.New("TlsCertificate.private_key_provider is not supported")
	case m.GetPassword() != nil:
		return nil, errors.New("TlsCertificate.password is not supported")
	}
	chain, err := s.data(m.GetCertificateChain())
	if err != nil {
		return nil, err
	}
	key, err := s.data(m.GetPrivateKey())
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	if cert.OCSPStaple, err = s.data(m.GetOcspStaple()); err != nil {
		return nil, err
	}
	return &cert, nil
}

func parseCRLs(data []byte) ([]*x509.RevocationList, error) {
	var out []*x509.RevocationList
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return out, nil
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, list)
	}
}
