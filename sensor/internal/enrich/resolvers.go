// SPDX-License-Identifier: Apache-2.0

package enrich

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"stillwatch/sensor/internal/datafile"
)

// The table of public resolvers. Its header describes the format.
//
//go:embed resolvers.tsv
var resolversText []byte

// Resolvers is the table of public resolvers that answer encrypted DNS.
type Resolvers struct {
	Head  datafile.Head
	names map[string]string // operators by name
	below map[string]string // operators by the name after "*."
}

// Rows returns the number of names.
func (r *Resolvers) Rows() int { return len(r.names) + len(r.below) }

// PublicResolvers holds the table in use. The embedded one is parsed at the first use. The tests of this package find an error in it.
var PublicResolvers = datafile.NewSlot(func() *Resolvers {
	r, err := ParseResolvers(resolversText)
	if err != nil {
		panic(err)
	}
	return r
})

// EmbeddedResolvers returns the file of resolvers that is part of the program.
func EmbeddedResolvers() []byte { return resolversText }

// ParseResolvers reads a file of resolvers.
func ParseResolvers(text []byte) (r *Resolvers, err error) {
	r = &Resolvers{names: map[string]string{}, below: map[string]string{}}
	if r.Head, _, err = datafile.ParseHead(text); err != nil {
		return nil, err
	}
	return r, datafile.Rows(text, 2, func(cells []string) error {
		name, wild := strings.CutPrefix(cells[0], "*.")
		list := r.names
		if wild {
			list = r.below
		}
		switch {
		case !strings.Contains(name, ".") || strings.ContainsAny(name, "* ") || strings.ToLower(name) != name || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "."):
			return fmt.Errorf("name %.60q: want a DNS name in lower case, or \"*.\" and a name", cells[0])
		case cells[1] == "" || strings.TrimSpace(cells[1]) != cells[1]:
			return errors.New("the operator is empty or has space around it")
		case list[name] != "":
			return fmt.Errorf("%.60q is there twice", cells[0])
		}
		list[name] = cells[1]
		return nil
	})
}

// Operator returns who operates the public resolver with a name, "" if it is none.
func (r *Resolvers) Operator(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if who := r.names[name]; who != "" {
		return who
	}
	for _, rest, ok := strings.Cut(name, "."); ok; _, rest, ok = strings.Cut(rest, ".") {
		if who := r.below[rest]; who != "" {
			return who
		}
	}
	return ""
}
