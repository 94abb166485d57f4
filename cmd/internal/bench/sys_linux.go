package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errAgain says that a socket has nothing to read, or no room to write.
const errAgain = unix.EAGAIN

// What poller.wait reports instead of a connection's index.
const (
	wokenUp int32 = -1
	timeUp  int32 = -2
)

// ready is one thing that poller.wait reports.
type ready struct {
	index              int32
	readable, writable bool
}

// poller waits for sockets, a timer and being woken up. Only wakeUp may be
// called by others than its owner.
type poller struct {
	epoll, event, timer int
	events              [512]unix.EpollEvent
}

func newPoller() (p *poller, err error) {
	p = &poller{epoll: -1, event: -1, timer: -1}
	defer func() {
		if err != nil {
			err = fmt.Errorf("make an epoll set: %w", errors.Join(err, p.close()))
		}
	}()
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return p, err
	}
	if p.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return p, err
	}
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return p, err
	}
	return p, errors.Join(p.add(p.event, wokenUp), p.add(p.timer, timeUp))
}

func (p *poller) close() error {
	var all error
	for _, fd := range []int{p.epoll, p.event, p.timer} {
		if fd >= 0 {
			all = errors.Join(all, unix.Close(fd))
		}
	}
	return all
}

// add makes wait report index when fd is readable.
func (p *poller) add(fd int, index int32) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: index}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &ev)
}

// wantWrite makes wait report also when fd is writable, or no longer.
func (p *poller) wantWrite(fd int, index int32, want bool) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: index}
	if want {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &ev)
}

// wait fills buf with what is ready, and returns at least one.
func (p *poller) wait(buf []ready) ([]ready, error) {
	n, err := unix.EpollWait(p.epoll, p.events[:], -1)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.EpollWait(p.epoll, p.events[:], -1)
	}
	if err != nil {
		return nil, fmt.Errorf("wait for sockets: %w", err)
	}
	buf = buf[:0]
	for i := range p.events[:n] {
		ev := &p.events[i]
		switch ev.Fd {
		case wokenUp:
			p.drain(p.event)
		case timeUp:
			p.drain(p.timer)
		}
		buf = append(buf, ready{
			index:    ev.Fd,
			readable: ev.Events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0,
			writable: ev.Events&unix.EPOLLOUT != 0,
		})
	}
	return buf, nil
}

// drain reads an eventfd or a timerfd, so that it is no longer ready. Nobody
// else reads it, and after an error it would be reported as ready again.
func (p *poller) drain(fd int) {
	var count [8]byte
	_, _ = unix.Read(fd, count[:])
}

// wakeUp makes wait report wokenUp.
func (p *poller) wakeUp() error {
	_, err := unix.Write(p.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return err
}

// arm makes wait report timeUp after d, once.
func (p *poller) arm(d time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(d), 1))}
	return unix.TimerfdSettime(p.timer, 0, &spec, nil)
}

// connect opens a non-blocking TCP socket to addr, from an address of the own
// machine if from is valid.
func connect(addr netip.AddrPort, from netip.Addr) (fd int, err error) {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("connect to %s: %w", addr, errors.Join(err, unix.Close(fd)))
		}
	}()
	if from.IsValid() {
		// The port is chosen with the peer, as one local port may serve two
		// peers.
		if err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return fd, err
		}
		if err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(from, 0))); err != nil {
			return fd, err
		}
	}
	if err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fd, err
	}
	if err = unix.Connect(fd, sockaddr(addr)); err != nil {
		return fd, err
	}
	return fd, unix.SetNonblock(fd, true)
}

func sockaddr(addr netip.AddrPort) unix.Sockaddr {
	if addr.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
}

func readSocket(fd int, p []byte) (int, error)  { return unix.Read(fd, p) }
func writeSocket(fd int, p []byte) (int, error) { return unix.Write(fd, p) }
func closeSocket(fd int) error                  { return unix.Close(fd) }

// allowFiles raises the limit of open files of this process and of those it
// starts, as far as it may go, and says when that is less than n.
func allowFiles(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w", limit.Max, err)
	}
	if uint64(n) > limit.Max {
		return fmt.Errorf("%d connections need %d open files, and the limit is %d: raise it (ulimit -Hn, LimitNOFILE=) or use fewer --members", n-spareFiles, n, limit.Max)
	}
	return nil
}

// tie ends a program when this process ends, however that happens.
func tie(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// cpuClock reads the CPU clock of a process: clock_getcpuclockid(3) makes the
// number of the clock in this way.
func cpuClock(pid int) (time.Duration, error) {
	const allThreads = 2
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|allThreads), &now); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(now.Nano()), nil
}
