//go:build gc && !purego

#include "textflag.h"

// As in walk_amd64.s: return addresses from the frame at R5 on go to R0, of which there is
// room for R1, and R3 is how many. Each frame has to be above the one before, which was at
// R4, and below R2.
#define CHAIN \
	SUB  $16, R2;      \
	MOVD ZR, R3;       \
next: \
	CMP  R1, R3;       \
	BGE  done;         \
	CMP  R4, R5;       \
	BLS  lost;         \
	CMP  R2, R5;       \
	BHI  lost;         \
	TST  $7, R5;       \
	BNE  lost;         \
	MOVD 8(R5), R6;    \
	MOVD R6, (R0)(R3<<3); \
	ADD  $1, R3;       \
	MOVD R5, R4;       \
	MOVD (R5), R5;     \
	CBNZ R5, next;     \
	B    done;         \
lost: \
	MOVD ZR, R3;       \
done:

// As in walk_amd64.s; the caller's frame pointer points at the word below its frame, and
// 8(g) is g.stack.hi.
#define WALK \
	SUB  $16, RSP, R4; \
	MOVD 8(g), R2;     \
	CHAIN

// func walk(pcs []uintptr) int
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-32
	MOVD pcs_base+0(FP), R0
	MOVD pcs_len+8(FP), R1
	MOVD R29, R5
	WALK
	MOVD R3, ret+24(FP)
	RET

// func walkFrom(from uintptr, pcs []uintptr) int
TEXT ·walkFrom(SB), NOSPLIT|NOFRAME, $0-40
	MOVD from+0(FP), R5
	MOVD pcs_base+8(FP), R0
	MOVD pcs_len+16(FP), R1
	WALK
	MOVD R3, ret+32(FP)
	RET

// func chain(from, top uintptr, pcs []uintptr) int
TEXT ·chain(SB), NOSPLIT|NOFRAME, $0-48
	MOVD from+0(FP), R5
	MOVD ZR, R4
	MOVD top+8(FP), R2
	MOVD pcs_base+16(FP), R0
	MOVD pcs_len+24(FP), R1
	CHAIN
	MOVD R3, ret+40(FP)
	RET

// func top() uintptr
TEXT ·top(SB), NOSPLIT|NOFRAME, $0-8
	MOVD 8(g), R2
	MOVD R2, ret+0(FP)
	RET
