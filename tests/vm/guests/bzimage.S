/*
 * The same guest in the shape of a bzImage: a boot sector, one sector of setup
 * (of which a 64-bit loader reads the header only), the program.
 */
	.section .text
	.org 0x1f1
	.byte 1			/* setup_sects */
	.word 0
	.long GUEST_PARAGRAPHS	/* syssize */
	.word 0, 0, 0
	.word 0xaa55
	.word 0x66eb		/* jmp over the header */
	.ascii "HdrS"
	.word 0x020f
	.org 0x211
	.byte 1			/* LOADED_HIGH */
	.org 0x214
	.long 0x100000		/* code32_start */
	.org 0x22c
	.long 0x7fffffff	/* initrd_addr_max */
	.long 0x100000		/* kernel_alignment */
	.byte 0, 20		/* not relocatable */
	.word 1			/* xloadflags: a 64-bit entry */
	.long 2047		/* cmdline_size */
	.org 0x258
	.quad 0x100000		/* pref_address */
	.long 0x400000		/* init_size */
	.org 0x400
	.incbin GUEST_BIN
	.section .note.GNU-stack, "", @progbits
