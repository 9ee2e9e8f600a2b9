#!/usr/bin/env bash
# Prints the commit of this folder, and whether its files were changed since, in run.json's form; null outside of git.
set -euo pipefail
commit=$(git rev-parse HEAD 2>/dev/null) || { echo null; exit; }
if [[ -n $(git status --porcelain --untracked-files=no) ]]; then dirty=true; else dirty=false; fi
printf '{"commit": "%s", "dirty": %s}\n' "$commit" "$dirty"
