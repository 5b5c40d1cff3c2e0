// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"os"

	"stillwatch/sensor/internal/pipeline"
)

// traceVariable is the environment variable that asks for the stack of a fault of the program itself.
const traceVariable = "STILLWATCH_TRACE"

// crash tells of a fault of the program itself in one line; whoever debugs it asks for the stack.
func crash(fault *pipeline.PanicError) *exitError {
	e := &exitError{status: exitBug}
	text := fmt.Sprintf("internal error in the %s: %v; please report it with the capture", fault.Where, fault.Value)
	if os.Getenv(traceVariable) != "" {
		e.stack = fault.Stack
	} else {
		text += "; set " + traceVariable + "=1 to see the stack"
	}
	e.err = errors.New(text)
	return e
}
