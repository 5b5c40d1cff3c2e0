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

// Sent is what a sender did.
type Sent struct {
	Packets int
	Wall    time.Duration
	InSend  time.Duration // processor time within the kernel: sending, and receiving as far as it happens on the way
}

// batch is how many frames one call sends: few enough for pauses of some hundred microseconds to stay small against the tables
// of a network card, many enough for the call not to matter.
const batch = 32

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	head unix.Msghdr
	n    uint32
	_    [4]byte
}

// Send sends the frames of a trace, from the beginning again when they are used up, for a time at a rate of packets a second. It
// is to be called in the namespace of the interface. Batches leave when their time has come; a sender that is late does not wait, so that the
// mean rate is kept if the machine can keep it at all.
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
		await(begin.Add(time.Duration(float64(s.Packets) / float64(rate) * 1e9)))
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

// await returns at a time: it sleeps through most of what is left and spins through the rest, as a sleep is not exact.
func await(t time.Time) {
	const inexact = 100 * time.Microsecond
	for left := time.Until(t); left > 0; left = time.Until(t) {
		if left > inexact {
			time.Sleep(left - inexact)
		}
	}
}

// sendMessages sends some of the messages and gives their number. A queue that is full is tried again: the cable takes what it can.
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

// threadTime is the processor time of this thread.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // it has no way to fail
	return time.Duration(t.Nano())
}

// socket sends frames as they are, past the queues of traffic control.
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
