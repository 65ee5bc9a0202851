/* SPDX-License-Identifier: GPL-2.0-or-later
 * PVH entry: from 32-bit protected mode without paging to C++, in long mode,
 * or for the 32-bit build with PAE paging. Application processors (ap_entry.S)
 * come here for their second half.
 *
 * At pvh_entry (Xen's docs/misc/pvh.pandoc): flat segments, paging off,
 * interrupts off, EBX = physical address of hvm_start_info. No stack, and no
 * GDT that one could rely on.
 */

#include "selectors.h"

#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CR0_PE 0x00000001
#define CR0_ET 0x00000010
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE (1 << 5)
#define PTE_PRESENT 0x001
#define PTE_PRESENT_WRITE 0x003
#define PDE_2M_PRESENT_WRITE 0x083

    /* XEN_ELFNOTE_PHYS32_ENTRY. The descriptor has 8 bytes in an ELF64 because
     * QEMU reads that many from one; the alignment of 4 is what it steps by. */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4
#ifdef __x86_64__
    .long 8
#else
    .long 4
#endif
    .long 18
    .asciz "Xen"
#ifdef __x86_64__
    .quad pvh_entry
#else
    .long pvh_entry
#endif

    .section .text.entry, "ax", @progbits
    .code32
    .globl pvh_entry
pvh_entry:
    cli
    cld

    /* Loaders zero this at power-on; after a reset it may hold anything. */
    movl $bss_start, %edi
    movl $bss_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl

    /* Identity map of the first 4 GiB, 2 MiB pages: RAM below 4 GiB and the
     * PCI hole, everything a guest here can want. */
    movl $boot_pdpt, %eax
    orl $PTE_PRESENT_WRITE, %eax
    movl %eax, boot_pml4

    movl $boot_pd, %eax
#ifdef __x86_64__
    orl $PTE_PRESENT_WRITE, %eax
#else
    orl $PTE_PRESENT, %eax      /* the bit for writing is reserved here */
#endif
    xorl %ecx, %ecx
1:  movl %eax, boot_pdpt(, %ecx, 8)
    addl $4096, %eax
    incl %ecx
    cmpl $4, %ecx
    jne 1b

    movl $PDE_2M_PRESENT_WRITE, %eax
    xorl %ecx, %ecx
2:  movl %eax, boot_pd(, %ecx, 8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $2048, %ecx
    jne 2b

    movl $boot_stack_end, %esp
    movl %ebx, %edi
    movl $guest_boot, %esi
#ifdef __x86_64__
    movl $boot_pml4, %ebx
#else
    movl $boot_pdpt, %ebx
#endif

    /* ESP = stack, EBX = page tables, EDI = argument of the function in ESI,
     * which does not return. */
    .globl paging_on
paging_on:
    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl %ebx, %cr3
#ifdef __x86_64__
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
#endif
    movl $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE), %eax
    movl %eax, %cr0

    lgdt boot_gdt_pointer
    ljmpl $CODE_SELECTOR, $flat

#ifdef __x86_64__
    .code64
#endif
flat:
    movl $DATA_SELECTOR, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
#ifdef __x86_64__
    movl %esp, %esp             /* nobody promises the upper halves */
    movl %edi, %edi
    movl %esi, %esi
    xorl %ebp, %ebp
    call *%rsi
#else
    xorl %ebp, %ebp
    pushl %edi
    call *%esi
#endif
3:  hlt
    jmp 3b

    /* null, code, data, 32-bit code, and from FIRST_TSS_SELECTOR on a TSS
     * descriptor of two slots for each CPU, filled by interrupts.cpp. */
    .section .data.boot_gdt, "aw", @progbits
    .balign 16
    .globl boot_gdt
boot_gdt:
    .quad 0
#ifdef __x86_64__
    .quad 0x00af9b000000ffff
#else
    .quad 0x00cf9b000000ffff
#endif
    .quad 0x00cf93000000ffff
    .quad 0x00cf9b000000ffff
    .fill MAX_CPUS * 2, 8, 0
    .globl boot_gdt_pointer
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .long boot_gdt
    .long 0                     /* lgdt reads so far in 64-bit code */

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .globl boot_pml4
boot_pml4:
    .skip 4096
    .globl boot_pdpt
boot_pdpt:
    .skip 4096
    .globl boot_pd
boot_pd:
    .skip 4 * 4096
boot_stack:
    .skip 16384
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
