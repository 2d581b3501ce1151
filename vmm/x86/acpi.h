/*
 * The ACPI tables of a guest (ACPI 6.4): RSDP, XSDT, FADT, MADT, MCFG, FACS and
 * the DSDT compiled from x86/dsdt.asl.
 */
#ifndef VMM_X86_ACPI_H
#define VMM_X86_ACPI_H

#include "vmm/machine/memory.h"

/* Writes the tables at LAYOUT_ACPI. Returns the RSDP's address. */
uint64_t acpi_write_tables(struct guest_memory *memory, unsigned int cpus);

#endif
