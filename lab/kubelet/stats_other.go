//go:build !linux

package kubelet

import "github.com/shirou/gopsutil/v4/process"

// use reads CPU seconds and resident memory of a process.
func use(pid int) (cpu float64, memory uint64, err error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0, 0, err
	}
	times, err := p.Times()
	if err != nil {
		return 0, 0, err
	}
	m, err := p.MemoryInfo()
	if err != nil {
		return 0, 0, err
	}
	return times.User + times.System, m.RSS, nil
}
