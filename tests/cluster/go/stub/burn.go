package main

import (
	"log"
	"runtime"
	"syscall"
	"time"
)

// burn uses `work` of cpu. It holds the goroutine to its thread, since the clock it reads is the thread's.
func burn(work time.Duration) {
	if work == 0 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for end := cpuUsed() + work; cpuUsed() < end; {
		for range 10_000 {
		}
	}
}

const rusageThread = 1

func cpuUsed() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
