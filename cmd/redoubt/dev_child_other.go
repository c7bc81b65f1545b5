//go:build unix && !linux

package main

import "syscall"

// childAttr puts a node into a process group of its own, so that Ctrl-C in the terminal reaches dev alone, which then
// stops the nodes in order.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
