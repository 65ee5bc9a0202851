/* SPDX-License-Identifier: GPL-2.0-or-later
 * One entry per vector, 16 bytes apart, all leading to C++.
 */

    .text
    .balign 16
    .globl interrupt_entries
interrupt_entries:
    .set vector, 0
    .rept 256
    .balign 16
    /* The CPU pushes an error code for 8, 10 to 14, 17, 21, 29 and 30 only;
     * a 0 for the others makes all frames alike. */
    .if vector < 32
    .if !((0x60227d00 >> vector) & 1)
    push $0
    .endif
    .else
    push $0
    .endif
    push $vector
    jmp interrupt_common
    .set vector, vector + 1
    .endr

interrupt_common:
    cld
#ifdef __x86_64__
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi             /* the CPU has aligned it */
    call interrupt_dispatch
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq
#else
    pushal
    movl %esp, %eax
    movl %esp, %ebp             /* preserved by the callee */
    andl $-16, %esp
    subl $12, %esp
    pushl %eax
    call interrupt_dispatch
    movl %ebp, %esp
    popal
    addl $8, %esp
    iretl
#endif

    .section .note.GNU-stack, "", @progbits
