// SPDX-License-Identifier: Apache-2.0

package detect

// BeaconLooks and Regular are for the tests of package detect_test.
var BeaconLooks = looks

// Regular reports whether a series of gaps is regular.
func Regular(p *BeaconParams, gaps []uint32) bool {
	_, ok := p.regular(gaps)
	return ok
}
