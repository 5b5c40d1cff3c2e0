// SPDX-License-Identifier: Apache-2.0

package device

type lruNode struct{}
type claim struct{}
