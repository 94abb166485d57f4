package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// probeBytes are written beside the store, and removed, to see whether it
	// can be written to.
	probeBytes = 64 << 10
	// healBytes and healFiles must be free before JetStream is started again:
	// with less it would find no room for the next message, or, worse, could
	// not open what it has.
	healBytes = MaxPayload
	healFiles = 16
	// probePattern is how the files are called that a probe makes; a process
	// that was killed may leave some.
	probePattern = "probe-*"
)

// probe reports whether files of that many bytes in all can be written in dir.
// It removes them; nothing of it is synced, so that it costs no disk. Its error
// is a *StoreError.
func probe(dir string, bytes, files int) error {
	var open []*os.File
	var err error
	block := make([]byte, bytes/files)
	for len(open) < files && err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, probePattern); err == nil {
			open = append(open, f)
			_, err = f.Write(block)
		}
	}
	for _, f := range open {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return &StoreError{Dir: dir, Err: err}
	}
	return nil
}

// sweepProbes removes what the probes of a killed process have left.
func sweepProbes(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, probePattern))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	if err != nil {
		return &StoreError{Dir: dir, Err: err}
	}
	return nil
}

// Damaged reports whether the directory can be used, and what is in it cannot.
func (e *StoreError) Damaged() bool { return e.todo != "" }

// Todo is what a person can do about it, as a sentence without a full stop.
func (e *StoreError) Todo() string {
	switch {
	case e.todo != "":
		return e.todo
	case errors.Is(e.Err, syscall.ENOSPC), errors.Is(e.Err, syscall.EDQUOT):
		return "free space on the file system of " + e.Dir
	case errors.Is(e.Err, syscall.EMFILE), errors.Is(e.Err, syscall.ENFILE):
		return "raise the limit of open files (ulimit -n), or close some connections"
	case errors.Is(e.Err, fs.ErrPermission), errors.Is(e.Err, syscall.EROFS):
		return "make " + e.Dir + " writable for this user"
	case errors.Is(e.Err, fs.ErrNotExist):
		return "put " + e.Dir + " back where it was, or restart: what was in it is gone otherwise"
	}
	return "look at the disk under " + e.Dir
}
