// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificates writes a certificate authority (ca.pem), the brokers' key and certificate in one file (server.pem, the form that
// Kafka reads), and those of a client (client.pem, client.key).
func certificates(dir string) error {
	caKey, ca, err := issue(template("stillwatch test authority"), nil, nil)
	if err != nil {
		return err
	}
	serverKey, server, err := issue(template("127.0.0.1"), ca, caKey)
	if err != nil {
		return err
	}
	clientKey, client, err := issue(template("sensor"), ca, caKey)
	if err != nil {
		return err
	}
	serverPEM, err := keyPEM(serverKey)
	if err != nil {
		return err
	}
	clientPEM, err := keyPEM(clientKey)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"ca.pem": certPEM(ca), "server.pem": append(serverPEM, certPEM(server)...), "client.pem": certPEM(client), "client.key": clientPEM,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotBefore:   time.Now().Add(-time.Hour),
		NotAfter:    time.Now().Add(30 * 24 * time.Hour),
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// issue signs t with the authority ca. If ca is nil, t is self-signed and becomes an authority.
func issue(t, ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t.SerialNumber = big.NewInt(time.Now().UnixNano())
	if ca == nil {
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage, t.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		ca, caKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return key, cert, err
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// keyPEM returns the key as PKCS #8, the only form that Kafka reads.
func keyPEM(k *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ForeignAuthority returns the PEM certificate of an authority that no cluster uses.
func ForeignAuthority() ([]byte, error) {
	_, ca, err := issue(template("another authority"), nil, nil)
	if err != nil {
		return nil, err
	}
	return certPEM(ca), nil
}
