package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Keys are the cluster's certificate authority, the certificates it signed, and
// the administrator's token. They are files of mode 0600 in one folder.
type Keys struct {
	Dir   string
	Token string // of the administrator, a member of system:masters
}

// The certificates' files, without .crt and .key.
const (
	caName      = "ca"
	serverName  = "apiserver"        // the API server's own
	kubeletName = "kubelet"          // the kubelet's server
	clientName  = "apiserver-client" // the API server as a client of etcd, kubelet and aggregated APIs
	etcdName    = "etcd"
	signerName  = "service-account"
)

// validity is so long because nobody renews a lab's certificates; a start with
// less than a year left makes new ones.
const validity = 10 * 365 * 24 * time.Hour

func (k *Keys) cert(name string) string { return filepath.Join(k.Dir, name+".crt") }
func (k *Keys) key(name string) string  { return filepath.Join(k.Dir, name+".key") }

// CA is the certificate authority's certificate as PEM.
func (k *Keys) CA() ([]byte, error) { return os.ReadFile(k.cert(caName)) }

// KubeletTLS is for the kubelet's server: it takes the API server's client
// certificate only.
func (k *Keys) KubeletTLS() (*tls.Config, error) { return k.ServerTLS(kubeletName) }

// ServerTLS is for a server that only the API server may ask.
func (k *Keys) ServerTLS(name string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(k.cert(name), k.key(name))
	if err != nil {
		return nil, err
	}
	ca, err := k.CA()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}, nil
}

// MetricsName is the certificate of the server behind metrics.k8s.io.
const MetricsName = "metrics"

func loadKeys(dir string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	k := &Keys{Dir: dir}
	if err := k.loadToken(); err != nil {
		return nil, err
	}
	if k.fresh() {
		return k, nil
	}
	ca, caKey, err := k.issue(caName, nil, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "meshstorm-lab"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	if err != nil {
		return nil, err
	}
	local := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1), net.IPv4(10, 244, 0, 1)}
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for name, template := range map[string]*x509.Certificate{
		serverName: {Subject: pkix.Name{CommonName: "kube-apiserver"}, DNSNames: []string{"localhost", "kubernetes",
			"kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}, IPAddresses: local},
		kubeletName: {Subject: pkix.Name{CommonName: "system:node:lab", Organization: []string{"system:nodes"}},
			DNSNames: []string{"localhost", "lab"}, IPAddresses: local},
		MetricsName: {Subject: pkix.Name{CommonName: "metrics"}, DNSNames: []string{"meshstorm-metrics.kube-system.svc"}, IPAddresses: local},
		clientName:  {Subject: pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}}},
		etcdName:    {Subject: pkix.Name{CommonName: "etcd"}, DNSNames: []string{"localhost"}, IPAddresses: local},
	} {
		template.ExtKeyUsage = server
		template.KeyUsage = x509.KeyUsageDigitalSignature
		if _, _, err := k.issue(name, ca, caKey, template); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(k.key(signerName)); err == nil {
		return k, nil // tokens signed with it stay valid
	}
	_, _, err = k.issue(signerName, ca, caKey, &x509.Certificate{Subject: pkix.Name{CommonName: "service-account"}})
	return k, err
}

// fresh tells whether all certificates are there and last for a year.
func (k *Keys) fresh() bool {
	for _, name := range []string{caName, serverName, kubeletName, MetricsName, clientName, etcdName, signerName} {
		pair, err := tls.LoadX509KeyPair(k.cert(name), k.key(name))
		if err != nil || pair.Leaf == nil || time.Until(pair.Leaf.NotAfter) < validity/10 {
			return false
		}
	}
	return true
}

func (k *Keys) issue(name string, ca *x509.Certificate, caKey crypto.Signer, t *x509.Certificate) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	t.SerialNumber = serial
	t.NotBefore = time.Now().Add(-24 * time.Hour) // a clock may jump back
	t.NotAfter = time.Now().Add(validity)
	if ca == nil {
		ca, caKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, key.Public(), caKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if err := writePEM(k.key(name), "EC PRIVATE KEY", keyDER); err != nil {
		return nil, nil, err
	}
	return cert, key, writePEM(k.cert(name), "CERTIFICATE", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// loadToken reads the administrator's token, or makes one, and writes it the
// way kube-apiserver reads it (--token-auth-file).
func (k *Keys) loadToken() error {
	path := filepath.Join(k.Dir, "token")
	data, err := os.ReadFile(path)
	switch {
	case err == nil && len(data) > 0:
		k.Token = string(data)
	case err == nil || errors.Is(err, fs.ErrNotExist):
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return err
		}
		k.Token = hex.EncodeToString(raw)
		if err := os.WriteFile(path, []byte(k.Token), 0o600); err != nil {
			return err
		}
	default:
		return err
	}
	line := fmt.Sprintf("%s,meshstorm-lab-admin,meshstorm-lab-admin,system:masters\n", k.Token)
	return os.WriteFile(k.tokens(), []byte(line), 0o600)
}

func (k *Keys) tokens() string { return filepath.Join(k.Dir, "tokens.csv") }
