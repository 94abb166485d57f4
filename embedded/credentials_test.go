package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// external starts a NATS server as an operator would run it, with users, keys
// or TLS.
func external(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	ns, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(time.Minute) {
		t.Fatal("the external server did not become ready")
	}
	return ns.Addr().String()
}

func TestRemoteCredentials(t *testing.T) {
	user := newNKey(t, nkeys.CreateUser)
	seedFile := write(t, "user.nk", user.seed)
	byKey := external(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: user.public}}})
	byName := external(t, &server.Options{Username: "percy", Password: "s3cret"})
	byToken := external(t, &server.Options{Authorization: "t0ken"})
	for _, tc := range []struct {
		name   string
		remote Remote
		ok     bool
	}{
		{"user", Remote{URL: "nats://percy:s3cret@" + byName}, true},
		{"wrong password", Remote{URL: "nats://percy:wr0ng@" + byName}, false},
		{"no password", Remote{URL: "nats://" + byName}, false},
		{"token", Remote{URL: "nats://t0ken@" + byToken}, true},
		{"wrong token", Remote{URL: "nats://wr0ng@" + byToken}, false},
		{"nkey", Remote{URL: "nats://" + byKey, NKey: seedFile}, true},
		{"no nkey", Remote{URL: "nats://" + byKey}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc, err := tc.remote.Connect("test")
			if tc.ok {
				if err != nil {
					t.Fatal(err)
				}
				nc.Close()
				return
			}
			var failed *ConnectError
			if !errors.As(err, &failed) || !errors.Is(err, nats.ErrAuthorization) {
				t.Fatalf("got %v, want a ConnectError of ErrAuthorization", err)
			}
			if !strings.Contains(err.Error(), "check the user and password") {
				t.Errorf("%q does not say what to do", err)
			}
			if strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("%q shows the secret", err)
			}
		})
	}
}

// TestRemoteCreds uses the decentralised form of credentials: an operator
// trusts an account, the account a user.
func TestRemoteCreds(t *testing.T) {
	operator, account, user := newNKey(t, nkeys.CreateOperator), newNKey(t, nkeys.CreateAccount), newNKey(t, nkeys.CreateUser)
	operatorClaims := jwt.NewOperatorClaims(operator.public)
	accountJWT, err := jwt.NewAccountClaims(account.public).Encode(operator.pair)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	if err := resolver.Store(account.public, accountJWT); err != nil {
		t.Fatal(err)
	}
	addr := external(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{operatorClaims}, AccountResolver: resolver})
	for _, tc := range []struct {
		name   string
		signer nkeys.KeyPair
		ok     bool
	}{{"known account", account.pair, true}, {"unknown account", newNKey(t, nkeys.CreateAccount).pair, false}} {
		t.Run(tc.name, func(t *testing.T) {
			userJWT, err := jwt.NewUserClaims(user.public).Encode(tc.signer)
			if err != nil {
				t.Fatal(err)
			}
			creds, err := jwt.FormatUserConfig(userJWT, user.seed)
			if err != nil {
				t.Fatal(err)
			}
			nc, err := Remote{URL: "nats://" + addr, Creds: write(t, "user.creds", creds)}.Connect("test")
			if tc.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if tc.ok {
				nc.Close()
			} else if !errors.Is(err, nats.ErrAuthorization) || !strings.Contains(err.Error(), "credentials file") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// nkey is a key of one of the roles of NATS.
type nkey struct {
	pair   nkeys.KeyPair
	public string
	seed   []byte
}

func newNKey(t *testing.T, create func() (nkeys.KeyPair, error)) nkey {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return nkey{pair, public, seed}
}

func TestRemoteTLS(t *testing.T) {
	cert, key := selfSigned(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	addr := external(t, &server.Options{
		TLSTimeout: 10,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool,
			ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12},
	})
	nc, err := Remote{URL: "tls://" + addr, TLSCA: cert, TLSCert: cert, TLSKey: key}.Connect("test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if nc, err := (Remote{URL: "tls://" + addr, TLSCert: cert, TLSKey: key}).Connect("test"); err == nil {
		nc.Close()
		t.Error("a server certificate of an unknown authority was accepted")
	}
}

// selfSigned makes a certificate for 127.0.0.1 that serves as authority, server
// and client.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
