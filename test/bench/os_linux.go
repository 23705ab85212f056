package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// syncData waits until the data of f is on the disk, as databases do.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// peakMemory returns the most memory that a running process has had resident.
func peakMemory(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kb, err := strconv.ParseInt(string(bytes.Fields(v)[0]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d does not tell", pid)
}

// mostResident returns the same of a process that has ended.
func mostResident(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}

// processorTime returns what a running process and its children have used up:
// nginx works in children.
func processorTime(pid int) (time.Duration, error) {
	pids := []string{strconv.Itoa(pid)}
	tasks, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err == nil {
		pids = append(pids, strings.Fields(string(tasks))...)
	}
	var total time.Duration
	for _, p := range pids {
		b, err := os.ReadFile("/proc/" + p + "/stat")
		if err != nil {
			return 0, err
		}
		// The name, in parentheses, may hold anything. Behind it the 12th and
		// 13th fields are the times, in ticks of 10 ms.
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(f) < 13 {
			return 0, fmt.Errorf("process %s does not tell", p)
		}
		for _, ticks := range f[11:13] {
			n, err := strconv.ParseInt(ticks, 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return total, nil
}

// allocated returns the bytes that a file takes on the disk.
func allocated(info os.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}

// forget asks the kernel to forget what it holds of the files below dir, so
// that they are read from the disk next time.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil { // what is not written cannot be forgotten
			return err
		}
		const dontNeed = 4 // POSIX_FADV_DONTNEED
		if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); e != 0 {
			return e
		}
		return nil
	})
}

// runAs makes cmd run as another user.
func runAs(cmd *exec.Cmd, uid, gid uint32) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
}

// giveWay lets all other processes go before this one.
func giveWay() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19) }

// machine describes the machine that dir is on.
func machine(dir string) [][2]string {
	facts := [][2]string{{"processor", fmt.Sprintf("%d ×%s", runtime.NumCPU(), strings.TrimPrefix(valueOf("/proc/cpuinfo", "model name"), ":"))}, {"memory", memory()}, {"disk", disk(dir)}}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	// What distributions and clouds append to the version may name a machine.
	version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	system := valueOf("/etc/os-release", "PRETTY_NAME=")
	return append(facts, [2]string{"system", strings.Trim(system, `"`) + ", Linux " + version})
}

// valueOf returns the rest of the line of a file that begins with key.
func valueOf(file, key string) string {
	b, _ := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func memory() string {
	kb, _ := strconv.ParseFloat(strings.TrimSuffix(valueOf("/proc/meminfo", "MemTotal:"), " kB"), 64)
	return number(kb/(1<<20)) + " GiB"
}

// disk names the file system of dir and the kind of device below it.
func disk(dir string) string {
	var s syscall.Stat_t
	if err := syscall.Stat(dir, &s); err != nil {
		return "not known"
	}
	device := fmt.Sprintf("%d:%d", s.Dev>>8&0xfff, s.Dev&0xff|s.Dev>>12&0xfff00)
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 5 || f[2] != device {
			continue
		}
		_, after, _ := strings.Cut(line, " - ")
		kind, _, _ := strings.Cut(after, " ")
		return kind + " on " + deviceKind(device)
	}
	return "not known"
}

func deviceKind(device string) string {
	block, err := os.Readlink("/sys/dev/block/" + device)
	if err != nil {
		return "no device of its own (memory or network)"
	}
	switch {
	case strings.Contains(block, "/virtio"):
		return "a virtio disk"
	case strings.Contains(block, "/nvme"):
		return "an NVMe disk"
	}
	rotational, err := os.ReadFile("/sys/dev/block/" + device + "/queue/rotational")
	if err == nil && strings.TrimSpace(string(rotational)) == "1" {
		return "a rotating disk"
	}
	return "a disk"
}

// busy returns the mean number of processes that wanted to run in the last
// minute.
func busy() string {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
