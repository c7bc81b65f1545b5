package fault

import "syscall"

// sysProcAttr has the kernel end the nodes should this program die, and keeps Ctrl-C from them.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
