/* ICMP errors that come to a VTEP: the input is a frame. */
#include "fuzz_input.h"
#include "tunnel/vxlan_icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = xmalloc(size ? size : 1);
	struct vxlan_icmp icmp;
	uint32_t mtu;

	if (size)
		memcpy(copy, data, size);
	if (vxlan_icmp_parse(&icmp, copy, size)) {
		mtu = vxlan_icmp_mtu(&icmp);
		MUST(icmp.ip_version == 4 || icmp.ip_version == 6);
		MUST(!mtu || (mtu < icmp.packet_len && icmp.too_big));
		MUST(!mtu ||
		     mtu >= (icmp.ip_version == 4 ? VXLAN_PATH_MTU_MIN4
						  : VXLAN_PATH_MTU_MIN6));
	}
	free(copy);
	return 0;
}
