#!/usr/bin/env bash
# Runs a command as the owner of the results folder, so that the files in a mounted folder belong to its user.
set -euo pipefail
read -r user group < <(stat --format '%u %g' results)
if ((EUID != 0 || user == 0)); then
    exec "$@"
fi
for folder in data models prototxt solvers; do
    # only the folders that came with the image: a mounted folder keeps its owner
    [[ $(stat --format %U "$folder") != aesthetics ]] || chown "$user:$group" "$folder"
done
HOME=/tmp exec setpriv --reuid "$user" --regid "$group" --clear-groups "$@"
