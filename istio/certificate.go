package istio

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// certificates are the Secrets that Gateways of the Gateway API name and the
// documents lack. Certificates are seldom kept beside manifests, and istiod
// drops a listener whose certificate it cannot read.
func (w *world) certificates(have []runtime.Object) ([]runtime.Object, error) {
	there := map[string]bool{}
	for _, o := range have {
		if s, ok := o.(*corev1.Secret); ok {
			there[s.Namespace+"/"+s.Name] = true
		}
	}
	var made []runtime.Object
	var data map[string][]byte
	add := func(namespace string, tls *gatewayv1.ListenerTLSConfig) (err error) {
		if tls == nil {
			return nil
		}
		for _, ref := range tls.CertificateRefs {
			ns := namespace
			if ref.Namespace != nil {
				ns = string(*ref.Namespace)
			}
			if at := ns + "/" + string(ref.Name); !there[at] {
				there[at] = true
				if data == nil {
					if data, err = anyCertificate(); err != nil {
						return err
					}
				}
				made = append(made, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: string(ref.Name)},
					Type: corev1.SecretTypeTLS, Data: data})
			}
		}
		return nil
	}
	for _, o := range have {
		switch g := o.(type) {
		case *gatewayv1.Gateway:
			for _, l := range g.Spec.Listeners {
				if err := add(g.Namespace, l.TLS); err != nil {
					return nil, err
				}
			}
		case *gatewayv1.ListenerSet:
			for _, l := range g.Spec.Listeners {
				if err := add(g.Namespace, l.TLS); err != nil {
					return nil, err
				}
			}
		}
	}
	return made, nil
}

// anyCertificate makes a certificate that only has to be well-formed: it never
// leaves this process.
func anyCertificate() (map[string][]byte, error) {
	fail := func(err error) (map[string][]byte, error) {
		return nil, fmt.Errorf("make a certificate that stands for missing ones: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stand-in"},
		NotBefore: epoch, NotAfter: epoch.Add(100 * 365 * 24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fail(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fail(err)
	}
	return map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}, nil
}
