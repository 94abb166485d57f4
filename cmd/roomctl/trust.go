package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// trust is the flag of every command that connects to wss://.
type trust struct {
	TLSCA string `name:"tls-ca" placeholder:"FILE" from:"ROOMCTL_TLS_CA" help:"PEM certificates of the authorities that a wss:// server's certificate must come from; also ROOMCTL_TLS_CA. Unless it is set: the system's, or those in SSL_CERT_FILE."`
}

// config is nil for the system's authorities.
func (t trust) config() (*tls.Config, error) {
	if t.TLSCA == "" {
		return nil, nil
	}
	data, err := os.ReadFile(t.TLSCA)
	if err != nil {
		return nil, fmt.Errorf("--tls-ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("--tls-ca: %s holds no certificate in PEM", t.TLSCA)
	}
	return &tls.Config{RootCAs: roots}, nil
}
