package embedded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	// probeBytes is how much is written into the directory, and removed, to find
	// out whether it can be written to.
	probeBytes = 64 << 10
	// healBytes, and files in the number of healFiles, must be writable before
	// JetStream is restarted: with less it could not store the next message, or,
	// worse, not open its files.
	healBytes = MaxPayload
	healFiles = 16
	// probePattern is the name of the files that a probe creates; a process that
	// was killed may leave some behind.
	probePattern = "probe-*"
)

// probe reports whether files of that many bytes in all can be written in dir.
// It removes them; they are not synced, so that it costs no disk I/O. Its error
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

// sweepProbes removes the files that the probes of a killed process have left.
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

// Damaged reports whether the directory itself is usable, but the data in it is
// damaged.
func (e *StoreError) Damaged() bool { return e.todo != "" }

// Todo returns what an operator can do about it, as a sentence without a full
// stop.
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
