// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func Store(to, from unsafe.Pointer)
TEXT ·Store(SB), NOSPLIT, $0-16
	MOVQ to+0(FP), AX
	MOVQ from+8(FP), BX
	MOVOU (BX), X0
	MOVOU 16(BX), X1
	MOVOU 32(BX), X2
	MOVOU 48(BX), X3
	MOVNTO X0, (AX)
	MOVNTO X1, 16(AX)
	MOVNTO X2, 32(AX)
	MOVNTO X3, 48(AX)
	RET

// func Flush()
TEXT ·Flush(SB), NOSPLIT, $0-0
	SFENCE
	RET
