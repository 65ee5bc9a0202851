/* SPDX-License-Identifier: GPL-2.0-or-later
 * void wrmsr_in_protected_mode(uint32_t msr, uint64_t value)
 *
 * Hypervisors look at the mode in which a guest writes an MSR. This writes it
 * out of long mode, as a 32-bit guest would, which takes paging off. So it
 * rests on the identity mapping: an address means the same with paging and
 * without. Interrupts are off, as always in these guests.
 */

#define CODE64_SELECTOR 8
#define CODE32_SELECTOR 40      /* in boot_gdt, entry.S */
#define CR0_PG 0x80000000

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
    ljmpl $CODE64_SELECTOR, $in_64

    .code64
in_64:
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

    .section .note.GNU-stack, "", @progbits
