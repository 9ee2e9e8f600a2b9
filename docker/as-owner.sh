#!/usr/bin/env bash
# Runs a command as the owner of the results folder: what a user mounted there stays the user's.
set -euo pipefail
read -r user group < <(stat --format '%u %g' results)
if ((EUID != 0 || user == 0)); then
    exec "$@"
fi
for folder in data models; do
    # those that came with the image; a folder that was mounted keeps its owner
    [[ $(stat --format %U "$folder") != aesthetics ]] || chown "$user:$group" "$folder"
done
HOME=/tmp exec setpriv --reuid "$user" --regid "$group" --clear-groups "$@"
