// SPDX-License-Identifier: Apache-2.0

package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sent is the result of Send.
type Sent struct {
	Packets int
	Wall    time.Duration
	InSend  time.Duration // processor time in the kernel: sending, and the part of receiving that runs in the same call
}

// batch is the number of frames of one call: few enough that a batch fits into the rings of a network card,
// enough that the cost of the call does not matter.
const batch = 32

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	head unix.Msghdr
	n    uint32
	_    [4]byte
}

// Send sends the frames of a trace in a loop for a time, at a rate of packets per second. Call it in the namespace of the
// interface. Each batch has its scheduled time; a sender that is late does not wait, so that the mean rate is kept
// if the machine can reach it.
func Send(ctx context.Context, device string, t *Trace, rate int, span time.Duration) (s Sent, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, err := socket(device)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var vectors [batch]unix.Iovec
	var messages [batch]message
	for i := range messages {
		messages[i].head.Iov, messages[i].head.Iovlen = &vectors[i], 1
	}
	at, total := 0, int(float64(rate)*span.Seconds())
	begin := time.Now()
	for s.Packets < total && ctx.Err() == nil {
		n := min(batch, total-s.Packets)
		for i := range n {
			vectors[i].Base = &t.Frames[at][0]
			vectors[i].SetLen(len(t.Frames[at]))
			if at++; at == len(t.Frames) {
				at = 0
			}
		}
		sleepUntil(begin.Add(time.Duration(float64(s.Packets) / float64(rate) * 1e9)))
		before := threadTime()
		for done := 0; done < n; {
			k, err := sendMessages(fd, messages[done:n])
			if err != nil {
				return s, err
			}
			done += k
		}
		s.InSend += threadTime() - before
		s.Packets += n
	}
	s.Wall = time.Since(begin)
	return s, ctx.Err()
}

// sleepUntil returns at the given time. It sleeps first and spins at the end, because a sleep is not exact.
func sleepUntil(t time.Time) {
	const inexact = 100 * time.Microsecond
	for left := time.Until(t); left > 0; left = time.Until(t) {
		if left > inexact {
			time.Sleep(left - inexact)
		}
	}
}

// sendMessages sends some of the messages and returns their number. It retries while the queue is full.
func sendMessages(fd int, m []message) (int, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.ENOBUFS, unix.EAGAIN, unix.EINTR:
		default:
			return 0, fmt.Errorf("send: %w", errno)
		}
	}
}

// threadTime returns the processor time of this thread.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // it cannot fail
	return time.Duration(t.Nano())
}

// socket returns a packet socket that bypasses traffic control.
func socket(device string) (int, error) {
	dev, err := net.InterfaceByName(device)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return 0, fmt.Errorf("raw socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: dev.Index}),
	)
	if err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}
