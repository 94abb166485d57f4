package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lockName is the file in a store directory that is locked while a server uses
// the directory. It is never removed: else two processes could each lock a file
// of that name.
const lockName = "roomd.lock"

// errLocked is returned by tryLock when another process holds the lock.
var errLocked = errors.New("locked")

// storeLock is an advisory lock on a store directory (nats-server takes none).
// The operating system releases it with the process, so a lock file that was
// left behind locks nothing.
type storeLock struct {
	file *os.File
}

// lockStore creates dir if needed and locks it. Its errors are
// *StoreLockedError and *StoreError.
func lockStore(dir string) (*storeLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &StoreError{Dir: dir, Err: err}
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &StoreError{Dir: dir, Err: err}
	}
	if err := tryLock(f); err != nil {
		pid := readPID(f)
		f.Close() // nothing was written
		if errors.Is(err, errLocked) {
			return nil, &StoreLockedError{Dir: dir, PID: pid}
		}
		return nil, &StoreError{Dir: dir, Err: fmt.Errorf("lock %s: %w", lockName, err)}
	}
	if err := writePID(f); err != nil {
		return nil, &StoreError{Dir: dir, Err: errors.Join(err, f.Close())}
	}
	return &storeLock{file: f}, nil
}

// release releases the lock, by closing the file.
func (l *storeLock) release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("embedded: unlock the store: %w", err)
	}
	return nil
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// readPID returns the pid in the file; 0 if there is none, as when the holder
// is about to write it.
func readPID(f *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
