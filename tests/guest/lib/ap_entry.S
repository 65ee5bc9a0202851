/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where application processors start: real mode, at the page that the SIPI
 * named. The code below is copied there (smp.cpp) and leaves at once.
 *
 * All may come at the same time, so each finds its stack by itself: by a
 * number that belongs to its APIC id, 1 and up in the order of arrival. A CPU
 * that is started again finds the number it had.
 */

#include "selectors.h"

    .section .rodata.ap, "a", @progbits
    .globl ap_trampoline, ap_trampoline_end
    .code16
ap_trampoline:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl ap_gdt_pointer - ap_trampoline
    movl $1, %eax               /* CR0.PE; caches on */
    movl %eax, %cr0
    ljmpl $CODE32_SELECTOR, $ap_protected
ap_gdt_pointer:
    .word 4 * 8 - 1             /* no TSS is wanted from this one */
    .long boot_gdt
ap_trampoline_end:

    .text
    .code32
ap_protected:
    movl $DATA_SELECTOR, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss

    movl $1, %eax
    cpuid
    shrl $24, %ebx              /* the initial APIC id */
    movzbl ap_numbers(%ebx), %edi
    testl %edi, %edi
    jnz 1f
    movl $1, %edi
    lock xaddl %edi, ap_next
    cmpl $MAX_CPUS, %edi
    jae 3f
    movl %edi, %eax
    movb %al, ap_numbers(%ebx)
1:  movl %edi, %eax
    imull $CPU_STACK_SIZE, %eax
    leal ap_stacks(%eax), %esp  /* number 1 has the first stack */
    movl $ap_boot, %esi
#ifdef __x86_64__
    movl $boot_pml4, %ebx
#else
    /* Four entries of its own, new each time: QEMU's TCG marks them as
     * accessed, which no CPU does, and KVM refuses to load them after that. */
    movl %edi, %ebx
    shll $5, %ebx
    addl $ap_pdpts, %ebx
    movl $boot_pd + 1, %eax     /* present */
    xorl %ecx, %ecx
2:  movl %eax, (%ebx, %ecx, 8)
    movl $0, 4(%ebx, %ecx, 8)
    addl $4096, %eax
    incl %ecx
    cmpl $4, %ecx
    jne 2b
#endif
    jmp paging_on
3:  hlt                         /* more than there are stacks for */
    jmp 3b

    .data
    .balign 4
ap_next:
    .long 1

    .bss
    .balign 32
#ifndef __x86_64__
ap_pdpts:
    .skip MAX_CPUS * 32
#endif
ap_stacks:
    .skip (MAX_CPUS - 1) * CPU_STACK_SIZE
ap_numbers:
    .skip 256

    .section .note.GNU-stack, "", @progbits
