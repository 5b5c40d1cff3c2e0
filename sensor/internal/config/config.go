// SPDX-License-Identifier: Apache-2.0

// Package config reads the two documents of the operator, the sensor configuration and the inventory, strictly:
// unknown keys and wrong values are refused with file, line and column, and all errors are listed at once.
//
// Detectors take their parameters from detections: a package that has a parameter struct with yaml tags fills it with its
// defaults and calls Detection.Decode on it: keys that are not in the struct are refused with line and column, keys that
// are not in the file leave the defaults as they are.
//
//	detections:
//	  D06:
//	    enabled: true
//	    severity: high
//	    params: {attempts: 5, window: 600s}
package config
