package host

import "golang.org/x/sys/unix"

// mostMemory is what a child, and each program that it starts, may have written to and not given back: many times what the largest of
// the vendors' libraries and a window of GTK need.
const mostMemory = 1 << 30

// limitMemory bounds what a library makes this process allocate: the bindings reserve whatever room it says its answer needs. RLIMIT_DATA
// counts private memory that can be written (Linux 4.7); RLIMIT_AS would count the address space too that Go reserves and never uses, a
// cgroup is not ours to make, and who looks at the resident set now and then comes too late for one allocation. Beyond the limit C's calloc
// gives NULL and Go ends the process.
func limitMemory() error {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &now); err != nil {
		return err
	}
	now.Max = min(now.Max, mostMemory)
	now.Cur = now.Max
	return unix.Setrlimit(unix.RLIMIT_DATA, &now)
}
