package embedded

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// UserName is the only user of a server with a password; it has all
	// permissions.
	UserName = "roomd"
	// PasswordFileName is the default name of the file with the password (see
	// Config.PasswordFile).
	PasswordFileName = "nats-password"

	// minPassword and maxPassword bound the length of a password, in bytes; a
	// generated one has 43.
	minPassword = 16
	maxPassword = 256
)

// password reads the password from the file, or creates the file, with mode
// 0600 and 32 random bytes in base64url. A file that others may read is refused
// and its mode is not corrected: somebody may have read it already. Errors are
// *PasswordError.
func password(file string) (string, error) {
	secret, err := readPassword(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makePassword(file); err == nil {
			secret, err = readPassword(file)
		}
	}
	if err != nil {
		return "", &PasswordError{File: file, Err: err}
	}
	return secret, nil
}

func readPassword(file string) (string, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("it is a %v and no plain file", info.Mode().Type())
	}
	if open := info.Mode().Perm() & 0o077; open != 0 && runtime.GOOS != "windows" { // where the mode means nothing
		return "", fmt.Errorf("others may read or write it (its mode is %04o), so it is no secret any more: remove it, and a new one is made; or chmod 600 it if you are sure", info.Mode().Perm())
	}
	if info.Size() > maxPassword {
		return "", fmt.Errorf("it has %d bytes, more than the %d of a password", info.Size(), maxPassword)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(data), "\r\n")
	switch {
	case len(secret) < minPassword:
		return "", fmt.Errorf("it holds %d characters, and a password needs %d; remove it, and a new one is made", len(secret), minPassword)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("it holds spaces or characters outside ASCII; remove it, and a new one is made")
	}
	return secret, nil
}

// makePassword writes the file completely under a temporary name first: whoever
// reads it at the same time finds all of it or none. When another process was
// faster, its file stays.
func makePassword(file string) (err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, PasswordFileName+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if rmErr := os.Remove(temp.Name()); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
	}()
	var secret [32]byte
	rand.Read(secret[:]) // never fails: it ends the process instead
	_, err = temp.WriteString(base64.RawURLEncoding.EncodeToString(secret[:]) + "\n")
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err = os.Link(temp.Name(), file); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(temp.Name(), file) // a file system without links
}

// passwordAuth accepts clients that know the password. nats-server's own check
// would keep the password in its options, and log a warning about that.
type passwordAuth struct{ password []byte }

// Check implements server.Authentication.
func (g passwordAuth) Check(c server.ClientAuthentication) bool {
	opts := c.GetOpts()
	right := subtle.ConstantTimeCompare([]byte(opts.Password), g.password) == 1
	return opts.Username == UserName && right
}
