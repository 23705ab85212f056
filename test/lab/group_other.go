//go:build !unix

package main

import "syscall"

// group does nothing where Kamailio does not run.
func group() *syscall.SysProcAttr { return nil }

// killGroup does nothing there.
func killGroup(int) {}
