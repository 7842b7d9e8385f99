package kubelet

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticks of /proc/PID/stat in a second: USER_HZ, 100 on every Linux that Go knows.
const ticks = 100

// use reads CPU seconds and memory of a process from /proc (proc(5)).
func use(pid int) (cpu float64, memory uint64, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, 0, err
	}
	// The second field, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 22 {
		return 0, 0, fmt.Errorf("%s/stat has %d fields", dir, len(fields))
	}
	for _, at := range []int{11, 12, 13, 14} { // utime, stime, and those of children that ended
		n, err := strconv.ParseUint(fields[at], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += float64(n) / ticks
	}
	if memory, err = pss(dir + "/smaps_rollup"); err == nil {
		return cpu, memory, nil
	}
	pages, err := strconv.ParseUint(fields[21], 10, 64)
	return cpu, pages * uint64(os.Getpagesize()), err
}

func pss(file string) (uint64, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kb, err := strconv.ParseUint(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("%s names no Pss", file)
}
