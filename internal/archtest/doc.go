// SPDX-License-Identifier: Apache-2.0

// Package archtest tests the structure of the repository: which package may import which, the size of files and functions, license lines,
// and that verdicts depend on no clock but that of the capture.
package archtest
