# Answers `--help` from scripts/help, before anything is installed; a script without a text there prints its first comment.
# tests/unit/scripts/test_help.py compares the texts with what the programs print.
# shellcheck shell=bash
answer_help() {
  local script=$1 name words text
  shift
  [[ " $* " == *" --help "* || " $* " == *" -h "* ]] || return 0
  name=$(basename "$script")
  words=("$@")
  # The longest text that fits: trackback-gocd-set-up, trackback-gocd, trackback.
  for text in "$name-${words[0]}-${words[1]:-}" "$name-${words[0]}" "$name"; do
    if [[ -f "$root/scripts/help/$text.txt" ]]; then
      cat "$root/scripts/help/$text.txt"
      exit 0
    fi
  done
  sed -n '2,/^[^#]/s/^# //p' "$script"
  exit 0
}
