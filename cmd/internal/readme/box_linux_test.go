package readme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// boxTime is how long a story may take: it builds all of roomd, on a machine that does other things too.
const boxTime = 10 * time.Minute

func init() { commands["box"] = enterBox }

// box is a copy of the repository in a network and among processes of its own: the documents name ports, which somebody else may
// have here, and leave programs running.
type box struct {
	dir string // with the repository in repo, commands in bin, and a user's module in mine
}

func newBox(t *testing.T) box {
	t.Helper()
	b := box{t.TempDir()}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl on this machine; .ci/run installs it")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(b.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name := range commands {
		if err := os.Symlink(self, filepath.Join(b.dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyTree(root, filepath.Join(b.dir, "repo")); err != nil {
		t.Fatal(err)
	}
	return b
}

// run has bash run the script in the box's copy, and returns what it and its children wrote. All of them end with it.
func (b box) run(t *testing.T, script string) (out string, err error) {
	t.Helper()
	out, err = b.runAs(t, ownNetwork(), filepath.Join(b.dir, "bin", "box"), script)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) { // of clone: bash's own errors are exit statuses
		t.Logf("this user may not have a network of its own here (%v); the ports are this machine's", err)
		return b.runAs(t, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}, "bash", "-c", script)
	}
	return out, err
}

// runAs runs a program in the box's copy; what it started ends with it.
func (b box) runAs(t *testing.T, attr *syscall.SysProcAttr, program string, args ...string) (out string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), boxTime)
	defer cancel()
	text, err := os.CreateTemp(b.dir, "out") // not a pipe: what goes on in the background would keep it open
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = filepath.Join(b.dir, "repo")
	// -trimpath, so that what was built in another copy need not be built again.
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(b.dir, "bin")+":"+os.Getenv("PATH"), "GOFLAGS=-trimpath", "GOPROXY=off", "MINE="+filepath.Join(b.dir, "mine"), "BIN="+filepath.Join(b.dir, "bin"))
	cmd.Stdout, cmd.Stderr = text, text
	cmd.SysProcAttr = attr
	if attr.Setpgid {
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		defer func() {
			if cmd.Process != nil {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ESRCH: all have ended
			}
		}()
	}
	err = cmd.Run()
	written, readErr := os.ReadFile(text.Name())
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(written), err
}

// ownNetwork is a network and processes apart from this machine's.
func ownNetwork() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 { // who is not root is it in there
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// enterBox is what runs first in a box: it brings the loopback interface up and becomes bash.
func enterBox(args []string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, loopback); err != nil {
		return fmt.Errorf("bring the loopback interface up: %w", err)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return err
	}
	return syscall.Exec(bash, []string{"bash", "-c", args[0]}, os.Environ())
}

// copyTree copies what is in version control, and what is about to be; not folders with a dot, data, and programs.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		if entry.IsDir() {
			if name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "fuzz" || name == "testdata/cluster/data") {
				return fs.SkipDir
			}
			return os.MkdirAll(target, 0o755)
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
			return err
		}
		return copyFile(path, target, info.Mode().Perm())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
