#!/usr/bin/env bash
# Prints the commit of this folder, and whether the files differ from it, in run.json's form; null outside of git.
set -euo pipefail
commit=$(git rev-parse HEAD 2>/dev/null) || { echo null; exit; }
if [[ -n $(git status --porcelain) ]]; then dirty=true; else dirty=false; fi
printf '{"commit": "%s", "dirty": %s}\n' "$commit" "$dirty"
