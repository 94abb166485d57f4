package cluster

import "syscall"

// dieWithParent ends the process even when the test does not get to it: it
// panics, times out, is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
