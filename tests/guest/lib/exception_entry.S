/* SPDX-License-Identifier: GPL-2.0-or-later
 * One entry per exception vector, 16 bytes apart, all leading to C++.
 */

    .text
    .balign 16
    .globl exception_entries
exception_entries:
    .set vector, 0
    .rept 32
    .balign 16
    /* The CPU pushes an error code for 8, 10 to 14, 17, 21, 29 and 30 only;
     * a 0 for the others makes all frames alike. */
    .if !((0x60227d00 >> vector) & 1)
    pushq $0
    .endif
    pushq $vector
    jmp exception_common
    .set vector, vector + 1
    .endr

    /* No register is saved: nobody returns from here. */
exception_common:
    cld
    movq %rsp, %rdi
    andq $-16, %rsp
    call exception_report

    .section .note.GNU-stack, "", @progbits
