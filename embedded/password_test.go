package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// passwordIn is the password that the server on this file asks for.
func passwordIn(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// Who has no password, or another one, is refused over TCP; who has it gets in,
// and so do the server's own connections.
func TestPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "made", PasswordFileName)
	buf := &syncBuffer{}
	s := start(t, Config{Addr: "127.0.0.1:0", Memory: true, PasswordFile: file, Log: zerolog.New(buf)})
	if !s.Secured() || strings.Contains(s.URL(), "@") {
		t.Errorf("secured %v at %s", s.Secured(), s.URL())
	}
	secret := passwordIn(t, file)
	if len(secret) < 40 {
		t.Errorf("the password has %d characters", len(secret))
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	for name, opt := range map[string]nats.Option{
		"nothing": nats.Name("x"), "another password": nats.UserInfo(UserName, secret+"x"), "no password": nats.UserInfo(UserName, ""),
		"another user": nats.UserInfo("admin", secret), "a token": nats.Token(secret),
	} {
		nc, err := nats.Connect(s.URL(), opt)
		if !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("with %s: %v", name, err)
		}
		if err == nil {
			nc.Close()
		}
	}
	inside, err := s.Connect("inside")
	if err != nil {
		t.Fatal(err)
	}
	outside, err := Remote{URL: strings.Replace(s.URL(), "://", "://"+UserName+":"+secret+"@", 1)}.Connect("outside")
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	echo(t, inside, outside)
	if err := storeOne(s, "x"); err != nil {
		t.Errorf("JetStream: %v", err)
	}
	if strings.Contains(buf.String(), secret) {
		t.Error("the log shows the password")
	}
}

// The password stays over restarts, and with it those who have it; another
// server makes another.
func TestPasswordIsKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, PasswordFileName)
	first := start(t, Config{Addr: "127.0.0.1:0", StoreDir: dir, PasswordFile: file})
	secret := passwordIn(t, file)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := start(t, Config{Addr: "127.0.0.1:0", StoreDir: dir, PasswordFile: file})
	nc, err := nats.Connect(second.URL(), nats.UserInfo(UserName, secret))
	if err != nil {
		t.Fatalf("the password of before the restart: %v", err)
	}
	nc.Close()
	other := filepath.Join(t.TempDir(), "p")
	start(t, Config{Addr: "127.0.0.1:0", Memory: true, PasswordFile: other})
	if passwordIn(t, other) == secret {
		t.Error("two servers made the same password")
	}
	if left := entries(t, dir); len(left) != 3 { // the lock, the store, the password
		t.Errorf("the directory holds %v", left)
	}
}

// A file that is no secret, or no password, is refused before anything listens,
// and stays as it is.
func TestBadPasswordFile(t *testing.T) {
	const good = "0123456789abcdef0123456789abcdef\n"
	for name, c := range map[string]struct {
		mode    os.FileMode
		content string
		says    string
	}{
		"readable by the group": {0o640, good, "0640"},
		"readable by all":       {0o604, good, "chmod 600"},
		"writable by all":       {0o602, good, "0602"},
		"empty":                 {0o600, "", "remove it"},
		"short":                 {0o600, "secret\n", "remove it"},
		"two lines":             {0o600, good + good, "spaces"},
		"long":                  {0o600, strings.Repeat("x", maxPassword+1), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "p")
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Start(Config{Addr: "127.0.0.1:0", Memory: true, PasswordFile: file})
			var bad *PasswordError
			if !errors.As(err, &bad) || bad.File != file || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a PasswordError that says %q", err, c.says)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != c.mode {
				t.Errorf("the file is now %v, %v", info, err)
			}
		})
	}
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	var bad *PasswordError
	if _, err := Start(Config{Addr: "127.0.0.1:0", Memory: true, PasswordFile: link}); !errors.As(err, &bad) {
		t.Errorf("a symbolic link: %v", err)
	}
}

// What other machines can reach asks for a password, or is not started.
func TestPasswordOnOtherAddresses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0"} {
		_, err := Start(Config{Addr: addr, Memory: true})
		var bad *AddrError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "password") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "127.0.0.2:0", "localhost:0", "LOCALHOST:0"} {
		if s := start(t, Config{Addr: addr, Memory: true}); s.Secured() {
			t.Errorf("%s asks for a password that nobody set", addr)
		}
	}
	// Inside the process nobody else can connect, so nothing is made.
	file := filepath.Join(t.TempDir(), "p")
	start(t, Config{Addr: InProcessOnly, Memory: true, PasswordFile: file})
	if _, err := os.Stat(file); err == nil {
		t.Error("a password was made for a server without a port")
	}
}

// Many that start at once on the same file agree on one password.
func TestPasswordIsMadeOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p")
	got := make(chan string, 16)
	for range cap(got) {
		go func() {
			secret, err := password(file)
			if err != nil {
				t.Error(err)
			}
			got <- secret
		}()
	}
	first := <-got
	for range cap(got) - 1 {
		if other := <-got; other != first {
			t.Errorf("%q and %q", first, other)
		}
	}
}
