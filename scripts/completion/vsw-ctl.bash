# shellcheck shell=bash disable=SC2207
# Completion of vsw-ctl for bash: options, commands, bridges, ports, tables,
# columns and records. What the program knows by itself it is asked for; names
# come from the database, with a limit of one second.

_vsw_ctl_ask() {
	"${_vsw_ctl[@]}" --timeout=1 "$@" 2>/dev/null
}

# The arguments that the command takes, e.g. "BRIDGE PORT [COLUMN...]".
_vsw_ctl_usage() {
	"${_vsw_ctl[0]}" --commands 2>/dev/null |
		awk -F, -v command="$1" '$2 == command { print $3; exit }'
}

# All options: the global ones, and those of commands.
_vsw_ctl_options() {
	"${_vsw_ctl[0]}" --options 2>/dev/null | sed 's/ARG$//'
	"${_vsw_ctl[0]}" --commands 2>/dev/null | cut -d, -f1 | tr ' ' '\n'
}

# The full name of a table that was typed in any of its forms.
_vsw_ctl_columns() {
	"${_vsw_ctl[0]}" --schema 2>/dev/null |
		awk -v typed="$1" '{
			name = $1; sub(/:$/, "", name)
			a = tolower(name); b = tolower(typed)
			gsub(/-/, "_", b)
			if (index(a, b) == 1) {
				$1 = ""
				print
				exit
			}
		}'
}

# The full name of a table, as above.
_vsw_ctl_table() {
	"${_vsw_ctl[0]}" --schema 2>/dev/null |
		awk -F: -v typed="$1" '{
			a = tolower($1); b = tolower(typed)
			gsub(/-/, "_", b)
			if (index(a, b) == 1) {
				print $1
				exit
			}
		}'
}

# The table whose keys of other_config it has: a group's are its ports'.
_vsw_ctl_settings_table() {
	_vsw_ctl_table "$1" | sed 's/^Port_Group$/Port/'
}

# What may follow KEY= of other_config, or a column's own =.
_vsw_ctl_values() {
	local table=$1 key=$2

	if [[ $table == Segment ]]; then
		case $key in
		isolated) echo true false ;;
		outside)
			echo host
			_vsw_ctl_ask list-br
			ls /sys/class/net 2>/dev/null
			;;
		*) "${_vsw_ctl[0]}" --settings 2>/dev/null |
			sed -n "s/^Segment options:$key //p" ;;
		esac
		return
	fi
	if [[ $table == vxlan ]]; then
		case $key in
		underlay) _vsw_ctl_ask list-br ;;
		group-dev) ls /sys/class/net 2>/dev/null ;;
		sticky) echo true false ;;
		*) "${_vsw_ctl[0]}" --settings 2>/dev/null |
			sed -n "s/^vxlan options:$key //p" ;;
		esac
		return
	fi
	case $key in
	port-group) _vsw_ctl_ask list-groups ;;
	private-vlan) printf '%s\n' isolated promiscuous community: ;;
	protected) echo true false ;;
	bond_mode) echo active-backup balance-slb balance-tcp ;;
	lacp) echo active passive off ;;
	enable) echo true false ;;
	vlan_mode) echo access trunk native-tagged native-untagged \
		dot1q-tunnel ;;
	*) "${_vsw_ctl[0]}" --settings 2>/dev/null |
		awk -v table="$(_vsw_ctl_settings_table "$table")" \
			-v key="$key" \
			'$1 == table && $2 == key {
				$1 = $2 = ""
				print
			}' ;;
	esac
}

# The keys of other_config that the switch knows.
_vsw_ctl_keys() {
	"${_vsw_ctl[0]}" --settings 2>/dev/null |
		awk -v table="$(_vsw_ctl_settings_table "$1")" \
			'$1 == table && $2 !~ /:/ { print $2 "=" }'
}

# The keys of a segment's options.
_vsw_ctl_segment_keys() {
	"${_vsw_ctl[0]}" --settings 2>/dev/null |
		sed -n 's/^Segment options:\([^ ]*\).*/\1=/p'
}

# The keys of options of type vxlan.
_vsw_ctl_vxlan_keys() {
	"${_vsw_ctl[0]}" --settings 2>/dev/null |
		sed -n 's/^vxlan options:\([^ ]*\).*/\1=/p'
}

# The values or keys of "COLUMN=", "COLUMN:KEY=" and "COLUMN:", which bash has
# split into words at '=' and ':'. Fails when it is none of them.
_vsw_ctl_complete_value() {
	local table=$1 at=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}

	case $cur in
	= | :) cur='' ;;
	*) ((at--)) ;;
	esac
	case ${COMP_WORDS[at]} in
	=)
		COMPREPLY=($(compgen -W "$(_vsw_ctl_values "$table" \
			"${COMP_WORDS[at - 1]}")" -- "$cur"))
		;;
	:)
		case ${COMP_WORDS[at - 1]} in
		other_config)
			COMPREPLY=($(compgen -W "$(_vsw_ctl_keys "$table")" \
				-- "$cur"))
			;;
		options)
			[[ $(_vsw_ctl_table "$table") == Segment ]] || return 1
			COMPREPLY=($(compgen -W "$(_vsw_ctl_segment_keys)" \
				-- "$cur"))
			;;
		lldp) COMPREPLY=($(compgen -W 'enable=' -- "$cur")) ;;
		*) return 1 ;;
		esac
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
		;;
	*) return 1 ;;
	esac
}

_vsw_ctl_ports() {
	local bridge

	for bridge in $(_vsw_ctl_ask list-br); do
		_vsw_ctl_ask list-ports "$bridge"
	done
}

# Candidates for one word of a command's usage.
_vsw_ctl_candidates() {
	local kind=$1 table=$2

	case $kind in
	in_port=*) printf '%s\n' in_port= ;;
	*BRIDGE\|PORT*)
		_vsw_ctl_ask list-br
		_vsw_ctl_ports
		;;
	*VTEP*)
		[[ $kind == *BRIDGE* ]] && _vsw_ctl_ask list-br
		_vsw_ctl_ask --bare --columns=name find Interface type=vxlan
		;;
	*BRIDGE* | *PARENT*) _vsw_ctl_ask list-br ;;
	SEGMENT) _vsw_ctl_ask --no-headings list-segments |
		cut -d' ' -f1 ;;
	*GROUP*) _vsw_ctl_ask list-groups ;;
	SETTING)
		# of a group: columns, and keys of other_config
		_vsw_ctl_columns Port_Group | tr ' ' '\n' |
			grep -vxE "|_uuid|name|other_config|external_ids" |
			sed 's/$/=/'
		_vsw_ctl_keys Port_Group | grep -vx port-group=
		;;
	TYPE) echo nat host-only internal bridged ;;
	MIRROR) _vsw_ctl_ask --no-headings list-mirrors "$table" |
		cut -d' ' -f1 ;;
	MIRROR-KEY) printf '%s\n' all src= dst= port= vlan= output-port= \
		output-vlan= snaplen= ;;
	REMOTE-MAC) printf '%s\n' vlan= ip= sticky= ;;
	VXLAN)
		printf '%s\n' vni= local= remote= tag=
		_vsw_ctl_vxlan_keys
		;;
	*KEY=VALUE*)
		printf '%s\n' outside= isolated= subnet= subnet6=
		_vsw_ctl_segment_keys
		;;
	tcp\|udp) echo tcp udp ;;
	LAG) _vsw_ctl_ask bond/list | tail -n +2 | cut -f1 ;;
	MEMBER)
		# $table is the first argument: the bond
		_vsw_ctl_ask bond/show "$table" |
			sed -n 's/^member \(.*\): [a-z]*$/\1/p'
		;;
	*PORT* | *BOND*) _vsw_ctl_ports ;;
	DEVICE) ls /sys/class/net 2>/dev/null ;;
	*IFACE*) _vsw_ctl_ask --bare --columns=name list Interface ;;
	*TABLE*) "${_vsw_ctl[0]}" --schema 2>/dev/null | cut -d: -f1 ;;
	*RECORD*)
		_vsw_ctl_ask --bare --columns=name list "$table" ||
			_vsw_ctl_ask --bare --columns=_uuid list "$table"
		;;
	*COLUMN*=*) _vsw_ctl_columns "$table" | tr ' ' '\n' |
		sed -n 's/..*/&=/p' ;;
	*COLUMN*) _vsw_ctl_columns "$table" ;;
	*standalone*) echo standalone secure ;;
	esac
}

# Options of events, and kinds behind --kind=, which bash has split. Fails when
# it is none of them.
_vsw_ctl_events() {
	local cur=$1 at=$((COMP_CWORD - 1))

	if [[ $cur == = ]]; then
		cur=''
	elif [[ ${COMP_WORDS[at]} == = ]]; then
		((at--))
	elif [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W '--kind= --after= --follow' -- "$cur"))
		[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
		return 0
	fi
	[[ ${COMP_WORDS[at]} == --kind ]] || return 1
	COMPREPLY=($(compgen -W 'port link guest bond mac-move mac-flap
		table-full storm violation' -- "$cur"))
}

_vsw_ctl_complete() {
	local cur=${COMP_WORDS[COMP_CWORD]} start=1 i name='' first='' position=0
	local -a _vsw_ctl=("${COMP_WORDS[0]}") kinds
	local kind table=''

	COMPREPLY=()
	# Where the database is: needed to ask for names.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--db | --run-dir)
			# bash splits words at '='
			if [[ ${COMP_WORDS[i + 1]} == = ]]; then
				_vsw_ctl+=("${COMP_WORDS[i]}=${COMP_WORDS[i + 2]}")
			else
				_vsw_ctl+=("${COMP_WORDS[i]}=${COMP_WORDS[i + 1]}")
			fi
			;;
		--) start=$((i + 1)) ;;
		esac
	done
	# The command of this part of the line, and how far it has come.
	for ((i = start; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		=) ((i++)) ;;
		-t | -f | -d | -p | -c | -C | --db | --run-dir | --timeout | \
			--format | --data)
			[[ -z $name && ${COMP_WORDS[i + 1]} != = ]] && ((i++))
			;;
		-*) ;;
		*)
			if [[ -z $name ]]; then
				name=${COMP_WORDS[i]}
			else
				[[ -z $first ]] && first=${COMP_WORDS[i]}
				((position++))
			fi
			;;
		esac
	done
	if [[ -z $name ]]; then
		if [[ $cur == -* ]]; then
			COMPREPLY=($(compgen -W "$(_vsw_ctl_options)" -- "$cur"))
			[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
		else
			COMPREPLY=($(compgen -W "help $("${_vsw_ctl[0]}" \
				--commands 2>/dev/null | cut -d, -f2)" -- "$cur"))
		fi
		return
	fi
	if [[ $name == help ]]; then
		COMPREPLY=($(compgen -W "$("${_vsw_ctl[0]}" --commands \
			2>/dev/null | cut -d, -f2)" -- "$cur"))
		return
	fi
	read -ra kinds <<<"$(_vsw_ctl_usage "$name")"
	((${#kinds[@]})) || return
	# "[COLUMN...]...": the last word goes on for ever.
	((position < ${#kinds[@]})) || position=$((${#kinds[@]} - 1))
	kind=${kinds[position]}
	case $name in
	add-port | add-bond)
		table=Port
		# what is to become a port is none yet
		[[ $name == add-port && $kind == PORT ]] && kind=DEVICE
		;;
	add-segment)
		table=Segment
		# a new name, then subnets, a device or settings
		((position > 0)) || return
		if ((position > 1)); then
			kind='[KEY=VALUE]...'
			[[ " ${COMP_WORDS[*]} " == *' bridged '* ]] &&
				kind=DEVICE
		fi
		;;
	set-segment) table=Segment ;;
	add-group | set-group)
		table=Port_Group
		((position > 0)) && kind=SETTING
		[[ $name == add-group && $kind == GROUP ]] && return
		;;
	add-vtep)
		table=vxlan
		((position == 1)) && return
		((position > 1)) && kind=VXLAN
		;;
	add-mirror)
		table=Mirror
		# a new name, then what it selects and where to
		((position == 1)) && return
		((position > 1)) && kind=MIRROR-KEY
		;;
	events)
		_vsw_ctl_events "$cur" && return
		;;
	add-remote-mac)
		table=vxlan
		[[ $kind == *KEY=VALUE* ]] && kind=REMOTE-MAC
		;;
	bond/* | lacp/*)
		[[ $kind == *PORT* ]] && kind=LAG
		table=$first
		;;
	*) table=$first ;;
	esac
	_vsw_ctl_complete_value "$table" && return
	if [[ $kind == *FILE* || ${COMP_WORDS[COMP_CWORD - 1]} == -w ]]; then
		COMPREPLY=($(compgen -f -- "$cur"))
		return
	fi
	COMPREPLY=($(compgen -W "$(_vsw_ctl_candidates "$kind" "$table") --" \
		-- "$cur"))
	[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
}

complete -F _vsw_ctl_complete vsw-ctl
