//go:build unix

package main

import "syscall"

// group lets a program and those that it starts be killed at once.
func group() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends what is left of the group of the process.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
