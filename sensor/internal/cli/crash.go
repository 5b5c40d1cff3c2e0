// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"stillwatch/sensor/internal/pipeline"
)

// stackVariable is the environment variable that names a file for the stack of an internal error. The stack is never printed.
const stackVariable = "STILLWATCH_TRACE"

// crash returns the error for a bug in this program, as one line.
func crash(fault *pipeline.PanicError) *exitError {
	hint := "set " + stackVariable + "=FILE to write the stack to a file"
	if name := os.Getenv(stackVariable); name != "" {
		hint = "the stack is in " + name
		if err := os.WriteFile(name, fault.Stack, 0o600); err != nil {
			hint = "the stack is lost: " + err.Error()
		}
	}
	return &exitError{status: exitBug, err: fmt.Errorf("internal error in the %s: %v; please report it with the capture; %s", fault.Where, fault.Value, hint)}
}

// stackDir returns the folder that crash writes to, for the sandbox to allow it.
func stackDir() (all []string) {
	if name := os.Getenv(stackVariable); name != "" {
		all = append(all, filepath.Dir(name))
	}
	return all
}
