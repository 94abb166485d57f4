//go:build !linux

package bench

import (
	"errors"
	"net/netip"
	"os/exec"
	"time"
)

var errNotLinux = errors.New("the bench reads /proc and epoll: run it on Linux")

var errAgain = errNotLinux

const (
	wokenUp int32 = -1
	timeUp  int32 = -2
)

type ready struct {
	index              int32
	readable, writable bool
}

type poller struct{}

func newPoller() (*poller, error)                            { return nil, errNotLinux }
func (*poller) close() error                                 { return errNotLinux }
func (*poller) add(int, int32) error                         { return errNotLinux }
func (*poller) wantWrite(int, int32, bool) error             { return errNotLinux }
func (*poller) wait([]ready) ([]ready, error)                { return nil, errNotLinux }
func (*poller) wakeUp() error                                { return errNotLinux }
func (*poller) arm(time.Duration) error                      { return errNotLinux }
func connect(netip.AddrPort, netip.Addr) (fd int, err error) { return -1, errNotLinux }
func readSocket(int, []byte) (int, error)                    { return 0, errNotLinux }
func writeSocket(int, []byte) (int, error)                   { return 0, errNotLinux }
func closeSocket(int) error                                  { return errNotLinux }
func allowFiles(int) error                                   { return errNotLinux }
func tie(*exec.Cmd)                                          {}
func cpuClock(int) (time.Duration, error)                    { return 0, errNotLinux }
