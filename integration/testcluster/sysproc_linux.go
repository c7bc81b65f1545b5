package testcluster

import "syscall"

// sysProcAttr has the kernel end the nodes should the test process die.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
