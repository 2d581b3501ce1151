/*
 * What a guest learns of the machine besides the fixed tables: the PCI bus
 * with its slots, which come and go by general-purpose event 1, and the few
 * devices at fixed ports. Addresses are those of vmm/x86/layout.h.
 */
DefinitionBlock ("", "DSDT", 2, "VSW", "VSWVMM", 1)
{
	/* Off: sleep type 5 (x86/chipset.c). No other sleep. */
	Name (\_S5, Package () { 5, 5, 0, 0 })

	Scope (\_SB)
	{
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadOnly, 0xE0000000, 0x100000)
				IO (Decode16, 0x600, 0x600, 1, 0x2C)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x3F8, 0x3F8, 1, 8)
				IRQNoFlags () { 4 }
			})
		}

		Device (RTC0)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x70, 0x70, 1, 2)
				IRQNoFlags () { 8 }
			})
		}

		Device (PEVT)
		{
			Name (_HID, "QEMU0001")
			Name (_STA, 0x0F)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x505, 0x505, 1, 1)
			})
		}

		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed,
					MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xCF8, 0xCF8, 1, 8)
				DWordMemory (ResourceProducer, PosDecode,
					MinFixed, MaxFixed, NonCacheable,
					ReadWrite,
					0, 0xC0000000, 0xDFFFFFFF, 0,
					0x20000000)
			})

			/* A bit a slot: plugged in, asked to go; ones written
			 * to the first two clear, to the third eject. */
			OperationRegion (HPLG, SystemIO, 0x620, 12)
			Field (HPLG, DWordAcc, NoLock, WriteAsZeros)
			{
				UPSL, 32,
				DOWN, 32,
				EJCT, 32
			}

			Device (S00) { Name (_ADR, 0x000000) Name (_SUN, 0) Method (_EJ0, 1) { EJCT = 0x1 } }
			Device (S01) { Name (_ADR, 0x010000) Name (_SUN, 1) Method (_EJ0, 1) { EJCT = 0x2 } }
			Device (S02) { Name (_ADR, 0x020000) Name (_SUN, 2) Method (_EJ0, 1) { EJCT = 0x4 } }
			Device (S03) { Name (_ADR, 0x030000) Name (_SUN, 3) Method (_EJ0, 1) { EJCT = 0x8 } }
			Device (S04) { Name (_ADR, 0x040000) Name (_SUN, 4) Method (_EJ0, 1) { EJCT = 0x10 } }
			Device (S05) { Name (_ADR, 0x050000) Name (_SUN, 5) Method (_EJ0, 1) { EJCT = 0x20 } }
			Device (S06) { Name (_ADR, 0x060000) Name (_SUN, 6) Method (_EJ0, 1) { EJCT = 0x40 } }
			Device (S07) { Name (_ADR, 0x070000) Name (_SUN, 7) Method (_EJ0, 1) { EJCT = 0x80 } }
			Device (S08) { Name (_ADR, 0x080000) Name (_SUN, 8) Method (_EJ0, 1) { EJCT = 0x100 } }
			Device (S09) { Name (_ADR, 0x090000) Name (_SUN, 9) Method (_EJ0, 1) { EJCT = 0x200 } }
			Device (S0A) { Name (_ADR, 0x0A0000) Name (_SUN, 10) Method (_EJ0, 1) { EJCT = 0x400 } }
			Device (S0B) { Name (_ADR, 0x0B0000) Name (_SUN, 11) Method (_EJ0, 1) { EJCT = 0x800 } }
			Device (S0C) { Name (_ADR, 0x0C0000) Name (_SUN, 12) Method (_EJ0, 1) { EJCT = 0x1000 } }
			Device (S0D) { Name (_ADR, 0x0D0000) Name (_SUN, 13) Method (_EJ0, 1) { EJCT = 0x2000 } }
			Device (S0E) { Name (_ADR, 0x0E0000) Name (_SUN, 14) Method (_EJ0, 1) { EJCT = 0x4000 } }
			Device (S0F) { Name (_ADR, 0x0F0000) Name (_SUN, 15) Method (_EJ0, 1) { EJCT = 0x8000 } }
			Device (S10) { Name (_ADR, 0x100000) Name (_SUN, 16) Method (_EJ0, 1) { EJCT = 0x10000 } }
			Device (S11) { Name (_ADR, 0x110000) Name (_SUN, 17) Method (_EJ0, 1) { EJCT = 0x20000 } }
			Device (S12) { Name (_ADR, 0x120000) Name (_SUN, 18) Method (_EJ0, 1) { EJCT = 0x40000 } }
			Device (S13) { Name (_ADR, 0x130000) Name (_SUN, 19) Method (_EJ0, 1) { EJCT = 0x80000 } }
			Device (S14) { Name (_ADR, 0x140000) Name (_SUN, 20) Method (_EJ0, 1) { EJCT = 0x100000 } }
			Device (S15) { Name (_ADR, 0x150000) Name (_SUN, 21) Method (_EJ0, 1) { EJCT = 0x200000 } }
			Device (S16) { Name (_ADR, 0x160000) Name (_SUN, 22) Method (_EJ0, 1) { EJCT = 0x400000 } }
			Device (S17) { Name (_ADR, 0x170000) Name (_SUN, 23) Method (_EJ0, 1) { EJCT = 0x800000 } }
			Device (S18) { Name (_ADR, 0x180000) Name (_SUN, 24) Method (_EJ0, 1) { EJCT = 0x1000000 } }
			Device (S19) { Name (_ADR, 0x190000) Name (_SUN, 25) Method (_EJ0, 1) { EJCT = 0x2000000 } }
			Device (S1A) { Name (_ADR, 0x1A0000) Name (_SUN, 26) Method (_EJ0, 1) { EJCT = 0x4000000 } }
			Device (S1B) { Name (_ADR, 0x1B0000) Name (_SUN, 27) Method (_EJ0, 1) { EJCT = 0x8000000 } }
			Device (S1C) { Name (_ADR, 0x1C0000) Name (_SUN, 28) Method (_EJ0, 1) { EJCT = 0x10000000 } }
			Device (S1D) { Name (_ADR, 0x1D0000) Name (_SUN, 29) Method (_EJ0, 1) { EJCT = 0x20000000 } }
			Device (S1E) { Name (_ADR, 0x1E0000) Name (_SUN, 30) Method (_EJ0, 1) { EJCT = 0x40000000 } }
			Device (S1F) { Name (_ADR, 0x1F0000) Name (_SUN, 31) Method (_EJ0, 1) { EJCT = 0x80000000 } }

			/* Slots of a mask are told: 1 look again, 3 go. */
			Method (TELL, 2)
			{
				If (Arg0 & 0x1) { Notify (S00, Arg1) }
				If (Arg0 & 0x2) { Notify (S01, Arg1) }
				If (Arg0 & 0x4) { Notify (S02, Arg1) }
				If (Arg0 & 0x8) { Notify (S03, Arg1) }
				If (Arg0 & 0x10) { Notify (S04, Arg1) }
				If (Arg0 & 0x20) { Notify (S05, Arg1) }
				If (Arg0 & 0x40) { Notify (S06, Arg1) }
				If (Arg0 & 0x80) { Notify (S07, Arg1) }
				If (Arg0 & 0x100) { Notify (S08, Arg1) }
				If (Arg0 & 0x200) { Notify (S09, Arg1) }
				If (Arg0 & 0x400) { Notify (S0A, Arg1) }
				If (Arg0 & 0x800) { Notify (S0B, Arg1) }
				If (Arg0 & 0x1000) { Notify (S0C, Arg1) }
				If (Arg0 & 0x2000) { Notify (S0D, Arg1) }
				If (Arg0 & 0x4000) { Notify (S0E, Arg1) }
				If (Arg0 & 0x8000) { Notify (S0F, Arg1) }
				If (Arg0 & 0x10000) { Notify (S10, Arg1) }
				If (Arg0 & 0x20000) { Notify (S11, Arg1) }
				If (Arg0 & 0x40000) { Notify (S12, Arg1) }
				If (Arg0 & 0x80000) { Notify (S13, Arg1) }
				If (Arg0 & 0x100000) { Notify (S14, Arg1) }
				If (Arg0 & 0x200000) { Notify (S15, Arg1) }
				If (Arg0 & 0x400000) { Notify (S16, Arg1) }
				If (Arg0 & 0x800000) { Notify (S17, Arg1) }
				If (Arg0 & 0x1000000) { Notify (S18, Arg1) }
				If (Arg0 & 0x2000000) { Notify (S19, Arg1) }
				If (Arg0 & 0x4000000) { Notify (S1A, Arg1) }
				If (Arg0 & 0x8000000) { Notify (S1B, Arg1) }
				If (Arg0 & 0x10000000) { Notify (S1C, Arg1) }
				If (Arg0 & 0x20000000) { Notify (S1D, Arg1) }
				If (Arg0 & 0x40000000) { Notify (S1E, Arg1) }
				If (Arg0 & 0x80000000) { Notify (S1F, Arg1) }
			}

			Method (PCNT, 0, Serialized)
			{
				Local0 = UPSL
				UPSL = Local0
				TELL (Local0, 1)
				Local0 = DOWN
				DOWN = Local0
				TELL (Local0, 3)
			}
		}
	}

	Scope (\_GPE)
	{
		Method (_E01)
		{
			\_SB.PCI0.PCNT ()
		}
	}
}
