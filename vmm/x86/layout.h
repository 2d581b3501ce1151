/*
 * Where things are in a guest's address spaces. No firmware: what a guest has
 * to know it is told by the boot protocol and ACPI.
 */
#ifndef VMM_X86_LAYOUT_H
#define VMM_X86_LAYOUT_H

/* Memory. */
#define LAYOUT_ZERO_PAGE      0x7000u /* boot_params or hvm_start_info */
#define LAYOUT_PAGE_TABLES    0x9000u /* the first ones, identity */
#define LAYOUT_GDT	      0x500u
#define LAYOUT_COMMAND_LINE   0x20000u /* at most 64 KiB */
#define LAYOUT_ACPI	      0xe0000u /* RSDP first; to 0x100000 */
#define LAYOUT_KERNEL	      0x100000u
#define LAYOUT_LOW_END	      0xc0000000u /* memory goes on at 4 GiB */
#define LAYOUT_PCI_WINDOW     0xc0000000u /* BARs */
#define LAYOUT_PCI_WINDOW_END 0xe0000000u
#define LAYOUT_ECAM	      0xe0000000u /* bus 0: 1 MiB */
/* --boot-timer: the guest's init writes here: devmem 0xfeb00000 8 1 */
#define LAYOUT_BOOT_TIMER   0xfeb00000u
#define LAYOUT_IOAPIC	    0xfec00000u
#define LAYOUT_LAPIC	    0xfee00000u
#define LAYOUT_TSS	    0xfffbd000u
#define LAYOUT_IDENTITY_MAP 0xfffbc000u
#define LAYOUT_HIGH_START   0x100000000u

/* Ports. */
#define LAYOUT_PORT_RTC	    0x70
#define LAYOUT_PORT_PVPANIC 0x505
#define LAYOUT_PORT_SERIAL  0x3f8
#define LAYOUT_PORT_PM	    0x600 /* PM1a event 4, control 2 at +4, timer at +8 */
#define LAYOUT_PORT_GPE	    0x610 /* GPE0: 2 bytes status, 2 bytes enable */
#define LAYOUT_PORT_HOTPLUG                                                    \
	0x620			/* PCI slots: up, down, eject, 4 bytes each    \
				 */
#define LAYOUT_PORT_PCI	  0xcf8 /* configuration mechanism #1 */
#define LAYOUT_PORT_RESET 0xcf9 /* lies within it: value 6 resets */

/* Pins of the I/O APIC. */
#define LAYOUT_IRQ_SERIAL 4
#define LAYOUT_IRQ_RTC	  8
#define LAYOUT_IRQ_SCI	  9

#endif
