/*
 * From the two ways in to guest_main(): PVH (32-bit, no paging, %ebx is
 * hvm_start_info) and the 64-bit boot protocol (%rsi is boot_params). Either
 * way with tables, a stack and an empty bss of our own.
 */
#include "guest_defs.h"

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start32

	.section .head, "ax"
	.code32
	.globl start32
start32:
	cli
	cld
	mov %ebx, %esi
	mov $BOOTED_BY_PVH, %ebp
	lgdt gdt_pointer
	mov $page_tables, %eax
	mov %eax, %cr3
	mov %cr4, %eax
	or $0x20, %eax		/* PAE */
	mov %eax, %cr4
	mov $0xc0000080, %ecx	/* EFER: LME */
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000001, %eax
	mov %eax, %cr0
	ljmp $8, $common

	.org 0x200
	.code64
start64:
	cli
	cld
	mov $BOOTED_BY_BOOT_PROTOCOL, %ebp
	mov $stack_end, %esp
	mov $page_tables, %eax
	mov %rax, %cr3
	lgdt gdt_pointer
	pushq $8
	pushq $common
	lretq

common:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov $bss_start, %edi
	mov $bss_end, %ecx
	sub %edi, %ecx
	rep stosb
	mov $stack_end, %esp
	mov %ebp, %edi
	/* %rsi is as it came */
	call guest_main
1:	hlt
	jmp 1b

	/* Copied to OTHER_CPUS, where other CPUs start, in real mode. */
	.code16
	.globl other_start, other_end
other_start:
	cli
	xor %ax, %ax
	mov %ax, %ds
	lgdtl OTHER_CPUS + other_gdt - other_start
	mov $page_tables, %eax
	mov %eax, %cr3
	mov $0x20, %eax
	mov %eax, %cr4
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov $0x80000011, %eax
	mov %eax, %cr0
	ljmpl $8, $other
other_gdt:
	.word gdt_pointer - gdt - 1
	.long gdt
other_end:
	.code64
other:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $other_stack_end, %esp
	call other_cpu
1:	hlt
	jmp 1b

	/* Interrupts and exceptions: the vector, and what is below it. */
	.text
	.globl vectors
	.balign 16
vectors:
	.set i, 0
	.rept 256
	.balign 16
	.if i != 8 && (i < 10 || i > 14) && i != 17 && i != 21
	pushq $0
	.endif
	pushq $i
	jmp interrupted
	.set i, i + 1
	.endr
interrupted:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	cld
	lea 72(%rsp), %rdi
	call interrupt
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

	.data
	.balign 16
gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word gdt_pointer - gdt - 1
	.quad gdt
	/* The first 4 GiB are where they are. */
	.balign 4096
page_tables:
	.quad page_tables + 0x1003
	.fill 511, 8, 0
	.quad page_tables + 0x2003, page_tables + 0x3003
	.quad page_tables + 0x4003, page_tables + 0x5003
	.fill 508, 8, 0
	.set i, 0
	.rept 2048
	.quad 0x83 + i * 0x200000
	.set i, i + 1
	.endr

	.bss
	.balign 16
	.skip 16384
stack_end:
	.skip 4096
other_stack_end:
	.section .note.GNU-stack, "", @progbits
