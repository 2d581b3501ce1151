# shellcheck shell=bash disable=SC2207
# Completion of vsw-vmm for bash: commands and options as its help lists them,
# and the names of VMs.

_vsw_vmm() {
	local word=${COMP_WORDS[COMP_CWORD]} words
	if [ "$COMP_CWORD" -eq 1 ]; then
		words=$(vsw-vmm help 2>/dev/null |
			sed -n '/^Commands/,/^$/s/^  \([a-z-]*\).*/\1/p')
	elif [ "${COMP_WORDS[1]}" = run ]; then
		case ${COMP_WORDS[COMP_CWORD - 1]} in
		--kernel | --initrd | --disk)
			COMPREPLY=($(compgen -f -- "$word"))
			return
			;;
		esac
		words=$(vsw-vmm help run 2>/dev/null |
			sed -n 's/^  \(--[a-z-]*\).*/\1/p')
	elif [ "${COMP_WORDS[1]}" != help ]; then
		words=$(vsw-vmm list 2>/dev/null | awk 'NR > 1 { print $1 }')
	fi
	COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _vsw_vmm vsw-vmm
