/* SPDX-License-Identifier: GPL-2.0-or-later
 * PVH entry: from 32-bit protected mode without paging to C++ in long mode.
 *
 * At pvh_entry (Xen's docs/misc/pvh.pandoc): flat segments, paging off,
 * interrupts off, EBX = physical address of hvm_start_info. No stack, and no
 * GDT that one could rely on.
 */

#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CR0_PE 0x00000001
#define CR0_ET 0x00000010
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE (1 << 5)
#define PTE_PRESENT_WRITE 0x003
#define PDE_2M_PRESENT_WRITE 0x083

    /* XEN_ELFNOTE_PHYS32_ENTRY. The descriptor has 8 bytes because QEMU reads
     * that many from an ELF64; the alignment of 4 is what it steps by. */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4
    .long 8
    .long 18
    .asciz "Xen"
    .quad pvh_entry

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
    orl $PTE_PRESENT_WRITE, %eax
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

    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl $(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE), %eax
    movl %eax, %cr0

    lgdt boot_gdt_pointer
    ljmpl $8, $long_mode

    .code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $boot_stack_end, %esp
    xorl %ebp, %ebp
    movl %ebx, %edi
    call guest_boot
3:  hlt
    jmp 3b

    /* null, 64-bit code, data, two slots that exceptions.cpp fills with the
     * descriptor of its TSS, and 32-bit code for protected_mode.S. */
    .section .data.boot_gdt, "aw", @progbits
    .balign 16
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0
    .quad 0
    .quad 0x00cf9b000000ffff
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .quad boot_gdt

    .section .bss.boot, "aw", @nobits
    .balign 4096
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pd:
    .skip 4 * 4096
boot_stack:
    .skip 16384
boot_stack_end:

    .section .note.GNU-stack, "", @progbits
