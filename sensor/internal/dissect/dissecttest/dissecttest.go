// SPDX-License-Identifier: Apache-2.0

// Package dissecttest has what tests of dissectors share: dialogues, messages of many protocols, and comparison of
// facts.
package dissecttest

import (
	"fmt"
	"reflect"
	"strings"

	"stillwatch/sensor/internal/dissect"
)

// Turn is what one side sends at once.
type Turn struct {
	Dir  int
	Data string
}

// Client returns a turn of the client.
func Client(s string) Turn { return Turn{dissect.FromClient, s} }

// Server returns a turn of the server.
func Server(s string) Turn { return Turn{dissect.FromServer, s} }

// Dump renders facts so that they can be compared and searched.
func Dump(facts []dissect.Fact) string {
	var b strings.Builder
	for _, f := range facts {
		fmt.Fprintf(&b, "%T%+v\n", f, reflect.ValueOf(f).Elem().Interface())
	}
	return b.String()
}

// AppOf returns the protocol by which a session is named in the end.
func AppOf(facts []dissect.Fact) string {
	name := ""
	for _, f := range facts {
		if id, ok := f.(*dissect.AppID); ok {
			name = id.Name
		}
	}
	return name
}

// FactsOf returns the facts of one type.
func FactsOf[T any](facts []dissect.Fact) (out []T) {
	for _, f := range facts {
		if x, ok := f.(any).(*T); ok {
			out = append(out, *x)
		}
	}
	return out
}
