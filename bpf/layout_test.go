// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// specs returns the embedded programs, each with the types that the compiler has written down.
func specs(t *testing.T) map[string]*ebpf.CollectionSpec {
	t.Helper()
	all := map[string]*ebpf.CollectionSpec{}
	for name, load := range map[string]func() (*ebpf.CollectionSpec, error){"watch": loadWatch, "filter": loadFilter} {
		spec, err := load()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = spec
	}
	return all
}

// Every structure that C and Go share has fields with the same offsets, sizes and, except for spelling, names.
func TestStructuresAgree(t *testing.T) {
	shared := map[string]reflect.Type{
		"frame": reflect.TypeFor[frame](), "counts": reflect.TypeFor[Counts](), "session_key": reflect.TypeFor[Key](),
		"counter": reflect.TypeFor[Counter](), "prefix4": reflect.TypeFor[prefix4](), "prefix6": reflect.TypeFor[prefix6](),
	}
	for program, spec := range specs(t) {
		for name, g := range shared {
			var c *btf.Struct
			if err := spec.Types.TypeByName(name, &c); err != nil {
				t.Errorf("%s: struct %s: %v", program, name, err)
				continue
			}
			if uintptr(c.Size) != g.Size() || len(c.Members) != g.NumField() {
				t.Errorf("%s: struct %s has %d bytes and %d fields in C, %d and %d in Go", program, name, c.Size, len(c.Members),
					g.Size(), g.NumField())
				continue
			}
			for i, m := range c.Members {
				f := g.Field(i)
				size, err := btf.Sizeof(m.Type)
				if err != nil {
					t.Fatal(err)
				}
				if uintptr(m.Offset.Bytes()) != f.Offset || uintptr(size) != f.Type.Size() || !sameName(m.Name, f.Name) {
					t.Errorf("%s: struct %s: %s at %d of %d bytes in C, %s at %d of %d in Go", program, name, m.Name,
						m.Offset.Bytes(), size, f.Name, f.Offset, f.Type.Size())
				}
			}
		}
	}
}

// sameName compares names without regard to case and underscores; padding has no name in Go.
func sameName(c, g string) bool {
	return g == "_" && c == "zero" || strings.EqualFold(strings.ReplaceAll(c, "_", ""), g)
}

// Every value of an enumeration has its name in Go, in the same order.
func TestEnumerationsAgree(t *testing.T) {
	for program, spec := range specs(t) {
		check := func(enum, prefix string, want []string, last string) {
			var e *btf.Enum
			if err := spec.Types.TypeByName(enum, &e); err != nil {
				t.Fatalf("%s: enum %s: %v", program, enum, err)
			}
			var got []string
			for _, v := range e.Values {
				if v.Name == last {
					if int(v.Value) != len(want) {
						t.Errorf("%s: %s is %d in C, %d in Go", program, last, v.Value, len(want))
					}
					continue
				}
				for len(got) < int(v.Value) {
					got = append(got, "")
				}
				got = append(got, strings.ToLower(strings.TrimPrefix(v.Name, prefix)))
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: enum %s is\n%q in C,\n%q in Go", program, enum, got, want)
			}
		}
		check("reason", "REASON_", reasonNames[:], "NUM_REASONS")
		check("event", "EVENT_", []string{eventTold: "told", eventLostCounted: "lost_counted", eventOpening: "opening", eventAgreed: "agreed"}, "NUM_EVENTS")
		check("record", "RECORD_", []string{recordFrame: "frame", recordCounts: "counts"}, "")
	}
}
