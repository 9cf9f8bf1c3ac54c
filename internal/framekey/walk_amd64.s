//go:build gc && !purego

#include "textflag.h"

// g.stack.hi, the second word of a goroutine's descriptor, as cgo knows it too.
#define TOP(R) \
	MOVQ TLS, R;       \
	MOVQ 0(R)(TLS*1), R; \
	MOVQ 8(R), R

// A frame pointer points at the one before, and the return address is above it. CHAIN
// puts return addresses from the frame at SI on to DI, of which there is room for CX, and
// in AX how many. Each frame has to be above the one before, which was at DX, and below R8.
// The first one has to be above what DX is at first.
#define CHAIN \
	SUBQ $16, R8;      \
	XORL AX, AX;       \
next: \
	CMPQ AX, CX;       \
	JGE  done;         \
	CMPQ SI, DX;       \
	JLS  lost;         \
	CMPQ SI, R8;       \
	JHI  lost;         \
	TESTQ $7, SI;      \
	JNE  lost;         \
	MOVQ 8(SI), R9;    \
	MOVQ R9, (DI)(AX*8); \
	INCQ AX;           \
	MOVQ SI, DX;       \
	MOVQ (SI), SI;     \
	TESTQ SI, SI;      \
	JNE  next;         \
	JMP  done;         \
lost: \
	XORL AX, AX;       \
done:

// WALK is CHAIN between where the stack is now and its top.
#define WALK \
	MOVQ SP, DX; \
	TOP(R8);     \
	CHAIN

// func walk(pcs []uintptr) int
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-32
	MOVQ pcs_base+0(FP), DI
	MOVQ pcs_len+8(FP), CX
	MOVQ BP, SI
	WALK
	MOVQ AX, ret+24(FP)
	RET

// func walkFrom(from uintptr, pcs []uintptr) int
TEXT ·walkFrom(SB), NOSPLIT|NOFRAME, $0-40
	MOVQ from+0(FP), SI
	MOVQ pcs_base+8(FP), DI
	MOVQ pcs_len+16(FP), CX
	WALK
	MOVQ AX, ret+32(FP)
	RET

// func chain(from, top uintptr, pcs []uintptr) int
TEXT ·chain(SB), NOSPLIT|NOFRAME, $0-48
	MOVQ from+0(FP), SI
	XORL DX, DX
	MOVQ top+8(FP), R8
	MOVQ pcs_base+16(FP), DI
	MOVQ pcs_len+24(FP), CX
	CHAIN
	MOVQ AX, ret+40(FP)
	RET

// func top() uintptr
TEXT ·top(SB), NOSPLIT|NOFRAME, $0-8
	TOP(R8)
	MOVQ R8, ret+0(FP)
	RET
