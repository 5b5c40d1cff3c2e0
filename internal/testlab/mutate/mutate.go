// SPDX-License-Identifier: Apache-2.0

// Package mutate runs fuzz targets on many inputs quickly. `go test -fuzz` measures the coverage of each input, which finds new paths but costs
// most of the time. This package changes the seeds of a target at random in the process of the test, many times faster. Both together
// try more: the first finds inputs, the second tries what is near to them.
package mutate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
)

// Variable is the environment variable with the number of changed inputs for each seed; scripts/fuzz -m sets it.
const Variable = "STILLWATCH_MUTATIONS"

// Fuzz is f.Fuzz. If Variable is set, the function is also called with changed inputs after each seed. They are the same in each run.
func Fuzz(f *testing.F, target any) {
	n, err := strconv.Atoi(os.Getenv(Variable))
	if err != nil || n <= 0 {
		f.Fuzz(target)
		return
	}
	call := reflect.ValueOf(target)
	var seeds [][]reflect.Value
	f.Fuzz(reflect.MakeFunc(call.Type(), func(args []reflect.Value) []reflect.Value {
		call.Call(args)
		t := args[0].Interface().(*testing.T)
		if len(seeds) < maxSeeds {
			seeds = append(seeds, detach(args[1:]))
		}
		h := fnv.New64a()
		fmt.Fprint(h, t.Name())
		m := mutator{rand.New(rand.NewPCG(h.Sum64(), uint64(n)))}
		for range n {
			in := detach(args[1:])
			m.change(in, seeds[m.IntN(len(seeds))])
			if try(t, call, append(args[:1:1], in...)); t.Failed() {
				t.Fatalf("this input failed: %s", literal(in))
			}
		}
		return nil
	}).Interface())
}

// maxSeeds bounds the seeds whose parts are mixed into others.
const maxSeeds = 256

// try calls the target. A panic fails the test instead of ending the program, so that the input is printed.
func try(t *testing.T, target reflect.Value, args []reflect.Value) {
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	target.Call(args)
}

// detach returns a copy of arguments.
func detach(args []reflect.Value) []reflect.Value {
	out := slices.Clone(args)
	for i, a := range out {
		if b, ok := a.Interface().([]byte); ok {
			out[i] = reflect.ValueOf(slices.Clone(b))
		}
	}
	return out
}

// literal returns arguments as Go source.
func literal(args []reflect.Value) (text string) {
	for _, a := range args {
		text += fmt.Sprintf(" %#v", a.Interface())
		if b, ok := a.Interface().([]byte); ok {
			text += fmt.Sprintf(" // %q", b)
		}
	}
	return text
}

type mutator struct{ *rand.Rand }

// change changes one or more of the arguments. other is a seed whose bytes are mixed in.
func (m mutator) change(args, other []reflect.Value) {
	first := m.IntN(len(args))
	for i := range args {
		if i != first && m.IntN(3) > 0 {
			continue
		}
		switch x := args[i].Interface().(type) {
		case []byte:
			args[i] = reflect.ValueOf(m.bytes(x, other[i].Bytes()))
		case string:
			args[i] = reflect.ValueOf(string(m.bytes([]byte(x), []byte(other[i].String())))).Convert(args[i].Type())
		case bool:
			args[i] = reflect.ValueOf(m.IntN(2) == 0)
		case float32, float64:
			args[i] = reflect.ValueOf(m.NormFloat64() * 1e6).Convert(args[i].Type())
		default: // an integer
			args[i] = reflect.ValueOf(m.number()).Convert(args[i].Type())
		}
	}
}

// number returns an integer: a small one, one near a power of two, or any.
func (m mutator) number() int64 {
	switch m.IntN(3) {
	case 0:
		return int64(m.IntN(256))
	case 1:
		return int64(1)<<m.IntN(63) + int64(m.IntN(3)) - 1
	}
	return int64(m.Uint64())
}

// growth bounds how much longer than its seed an input gets.
const growth = 512

// bytes applies one to eight changes.
func (m mutator) bytes(b, other []byte) []byte {
	limit := len(b) + growth
	for range 1 + m.IntN(1+m.IntN(8)) {
		b = m.once(b, other)
		b = b[:min(len(b), limit)]
	}
	return b
}

// textual are the bytes that text formats are made of.
const textual = "0123456789-+ \t\r\n\"'<>{}[]:;,./?=&%\\\x00"

func (m mutator) once(b, other []byte) []byte {
	if len(b) == 0 {
		return append(b, byte(m.Uint32()), byte(m.Uint32()))
	}
	i := m.IntN(len(b))
	end := min(len(b), i+1+m.IntN(1+m.IntN(64)))
	switch m.IntN(12) {
	case 0:
		b[i] ^= 1 << m.IntN(8)
	case 1:
		b[i] = byte(m.Uint32())
	case 2:
		b[i] += byte(m.IntN(9)) - 4
	case 3: // a byte or length at its bounds
		b[i] = [...]byte{0, 1, 0x7f, 0x80, 0xfe, 0xff}[m.IntN(6)]
	case 4: // an integer of several bytes
		for k, x := i, m.number(); k < min(len(b), i+1<<m.IntN(4)); k++ {
			b[k] = byte(x >> (8 * (k - i)))
		}
	case 5:
		return slices.Delete(b, i, end)
	case 6:
		return b[:i]
	case 7: // repeat a part
		return slices.Insert(b, end, b[i:end]...)
	case 8:
		part := make([]byte, end-i)
		for k := range part {
			part[k] = byte(m.Uint32())
		}
		return slices.Insert(b, i, part...)
	case 9: // a part of another seed, over or between
		if len(other) == 0 {
			return b
		}
		k := m.IntN(len(other))
		part := other[k:min(len(other), k+1+m.IntN(1+m.IntN(128)))]
		if m.IntN(2) == 0 {
			copy(b[i:], part)
			return b
		}
		return slices.Insert(b, i, part...)
	case 10: // exchange two parts
		k := m.IntN(len(b))
		n := min(end-i, len(b)-k)
		for x := range n {
			b[i+x], b[k+x] = b[k+x], b[i+x]
		}
	default: // a digit or delimiter of a text
		b[i] = textual[m.IntN(len(textual))]
	}
	return b
}
