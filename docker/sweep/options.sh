# What the drivers of this folder share: their options, and what they do at the end. To be sourced
# by them; `usage` is theirs.

# The name of the driver, for what it says.
driver=docker/sweep/${0##*/}

wrong() {
  printf '%s: %s\n' "$driver" "$1" >&2
  usage >&2
  exit 2
}

failed() {
  printf '%s: %s\n' "$driver" "$1" >&2
  exit 1
}

# The command of the tool that is asked for must be there.
needs() {
  command -v "$1" >/dev/null || failed "there is no $1 here; $2"
}

is_number() {
  [[ $1 =~ ^[1-9][0-9]*$ ]]
}

# Sets `shards`, `records`, `command` (what is shared out: the words after `--`), `merge` (options
# for the report), and by `option NAME VALUE` what only this driver has.
read_options() {
  shards='' records='' command=() merge=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --help | -h)
        usage
        exit 0
        ;;
      --json)
        merge+=(--json)
        shift
        continue
        ;;
      --)
        shift
        command=("$@")
        break
        ;;
    esac
    [[ $# -ge 2 ]] || wrong "what about $1?"
    case $1 in
      --shards) shards=$2 ;;
      --records) records=$2 ;;
      *) option "$1" "$2" || wrong "what is $1?" ;;
    esac
    shift 2
  done
  is_number "$shards" || wrong "say into how many parts it is cut, as in --shards 12"
  [[ -n $records ]] || wrong "say where the records go, as in --records sweep-1"
  case ${command[0]:-} in
    sweep | explore) ;;
    *) wrong "say what is shared out, as in -- sweep scenarios/churn.toml --seeds 1..101" ;;
  esac
  mkdir -p "$records" || failed "the folder $records can't be made"
  records=$(cd "$records" && pwd)
}

# The shards that have no record yet, a line each: what a driver is to do when it is begun again.
missing() {
  local shard
  for ((shard = 0; shard < shards; shard++)); do
    [[ -e $records/$shard-of-$shards.jsonl ]] || printf '%s\n' "$shard"
  done
}

# Ends with a list of what is missing, if something is.
all_there() {
  local lacking
  lacking=$(missing | paste -s -d ' ')
  [[ -z $lacking ]] || failed "no record of the shards $lacking; $1, or begin this again, which goes \
on with what there is"
}
