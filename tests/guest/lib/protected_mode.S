/* SPDX-License-Identifier: GPL-2.0-or-later
 * void wrmsr_in_protected_mode(uint32_t msr, uint64_t value)
 * int64_t hypercall_in_32_bits(uint32_t number, uint32_t a1, uint32_t a2,
 *                              bool vmmcall)
 *
 * Hypervisors look at the mode in which a guest writes an MSR or calls them,
 * so this does it as a 32-bit guest would. The MSR is written out of long
 * mode, which takes paging off: that rests on the identity mapping. A call
 * needs but a 32-bit code segment. Interrupts are off.
 *
 * For the 64-bit build; the other is in 32 bits all the time.
 */

#include "selectors.h"

#define CR0_PG 0x80000000

#ifdef __x86_64__

    .text
    .code64
    .globl wrmsr_in_protected_mode
wrmsr_in_protected_mode:
    /* Nobody promises the upper halves of registers back. */
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx

    /* A far return to a 32-bit segment: compatibility mode. */
    subq $8, %rsp
    movl $in_32, (%rsp)
    movl $CODE32_SELECTOR, 4(%rsp)
    lretl

    .code32
in_32:
    movl %cr0, %esi
    movl %esi, %edi
    andl $~CR0_PG, %edi
    movl %edi, %cr0             /* and so out of long mode */
    wrmsr
    movl %esi, %cr0             /* EFER.LME is still set: back in it */
    ljmpl $CODE_SELECTOR, $in_64

    .code64
in_64:
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    .globl hypercall_in_32_bits
hypercall_in_32_bits:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movzbl %cl, %ebp
    movl %edi, %eax
    movl %esi, %ebx
    movl %edx, %ecx
    subq $8, %rsp
    movl $call_in_32, (%rsp)
    movl $CODE32_SELECTOR, 4(%rsp)
    lretl

    .code32
call_in_32:
    testl %ebp, %ebp
    jnz 1f
    vmcall
    jmp 2f
1:  vmmcall
2:  ljmpl $CODE_SELECTOR, $call_in_64

    .code64
call_in_64:
    movslq %eax, %rax
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

#endif

    .section .note.GNU-stack, "", @progbits
