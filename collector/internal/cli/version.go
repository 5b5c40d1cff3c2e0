// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"

	"stillwatch/internal/buildinfo"
)

type versionCmd struct{}

// Run prints the version of the program.
func (versionCmd) Run(b buildinfo.Info) error {
	_, err := fmt.Printf("%s %s\n", program, b)
	return err
}
