// SPDX-License-Identifier: Apache-2.0

package privilege

import (
	"fmt"
	"os"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// CallGroup is a group of allowed system calls, and why they are needed.
type CallGroup struct {
	Why   string
	Calls []string
}

// Calls returns the system calls that are allowed with any arguments. docs/deploy/privileges.md has the same list.
func Calls() []CallGroup {
	return []CallGroup{
		{"memory and threads of the Go runtime", []string{"brk", "exit", "exit_group", "futex", "getpid", "getrandom", "gettid", "madvise", "mincore", "mremap", "munmap", "restart_syscall",
			"rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list", "sigaltstack"}},
		{"time", []string{"clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep"}},
		{"waiting for several things", []string{"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "pipe2", "poll", "ppoll"}},
		{"what is open", []string{"close", "fcntl", "fstat", "lseek", "pread64", "pwrite64", "read", "readv", "write", "writev"}},
		{"spool, state and files that are read again", []string{"fallocate", "fchmod", "fchmodat", "fdatasync", "flock", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents64", "mkdirat", "newfstatat",
			"openat", "readlinkat", "renameat", "renameat2", "statfs", "statx", "unlinkat"}},
		{"connections to brokers and name servers, answers to metrics requests", []string{"accept4", "connect", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmsg", "sendmsg", "sendto",
			"setsockopt", "shutdown", "uname"}},
	}
}

// Conditional returns the system calls that are allowed only with some arguments.
func Conditional() []CallGroup {
	return []CallGroup{
		{"threads, not processes", []string{"clone"}},
		{"memory that is not executable", []string{"mmap", "mprotect"}},
		{"streams and datagrams of IPv4, IPv6 and local sockets: no raw and no packet sockets", []string{"socket"}},
		{"signals to its own threads", []string{"tgkill"}},
		{"names of its own memory", []string{"prctl"}},
		{"reading and writing maps that are open, and running programs that are loaded, in mode xdp; with `--wait-iface` attaching them to an interface", []string{"bpf"}},
		{"with `--wait-iface`: binding the packet socket that is open to an interface, an address of 20 bytes", []string{"bind"}},
	}
}

// conditions returns the allowed arguments of the calls in Conditional.
func conditions(c Config) (all []seccomp.NameWithConditions) {
	add := func(name string, c ...seccomp.Condition) {
		all = append(all, seccomp.NameWithConditions{Name: name, Conditions: c})
	}
	equal := func(arg uint32, v uint64) seccomp.Condition {
		return seccomp.Condition{Argument: arg, Operation: seccomp.Equal, Value: v}
	}
	notExec := seccomp.Condition{Argument: 2, Operation: seccomp.BitsNotSet, Value: unix.PROT_EXEC}
	add("clone", seccomp.Condition{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD})
	add("mmap", notExec)
	add("mprotect", notExec)
	for _, family := range []uint64{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX} {
		for _, kind := range []uint64{unix.SOCK_STREAM, unix.SOCK_DGRAM} { // as the Go runtime requests them
			add("socket", equal(0, family), equal(1, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK))
		}
	}
	add("tgkill", equal(0, uint64(os.Getpid())))
	add("prctl", equal(0, unix.PR_SET_VMA))
	if c.Return {
		add("bind", equal(2, unix.SizeofSockaddrLinklayer))
	}
	if c.Maps {
		for _, command := range []uint64{unix.BPF_MAP_LOOKUP_ELEM, unix.BPF_MAP_UPDATE_ELEM, unix.BPF_MAP_DELETE_ELEM, unix.BPF_MAP_GET_NEXT_KEY,
			unix.BPF_MAP_LOOKUP_AND_DELETE_ELEM, unix.BPF_MAP_LOOKUP_BATCH, unix.BPF_MAP_LOOKUP_AND_DELETE_BATCH, unix.BPF_MAP_UPDATE_BATCH, unix.BPF_MAP_DELETE_BATCH, unix.BPF_PROG_TEST_RUN} {
			add("bpf", equal(0, command))
		}
		if c.Return {
			add("bpf", equal(0, unix.BPF_LINK_CREATE))
		}
	}
	return all
}

// restrictCalls makes every other system call fail with EPERM. clone3 fails with ENOSYS, so that C libraries fall back to clone.
func restrictCalls(c Config) (Protection, error) {
	p := Protection{Name: Seccomp}
	here, err := arch.GetInfo("")
	if err != nil || !seccomp.Supported() {
		p.Lack = "not in this kernel, or not for this processor: all system calls are allowed"
		return p, nil
	}
	var allowed []string
	for _, g := range Calls() {
		for _, name := range g.Calls {
			if _, known := here.SyscallNames[name]; known { // some do not exist on every processor
				allowed = append(allowed, name)
			}
		}
	}
	err = seccomp.LoadFilter(seccomp.Filter{Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{
		DefaultAction: seccomp.ActionErrno, // EPERM
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: allowed, NamesWithCondtions: conditions(c)},
			{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}},
		},
	}})
	p.Active = err == nil
	p.Detail = fmt.Sprintf("%d system calls", len(allowed)+len(Conditional()))
	return p, err
}
