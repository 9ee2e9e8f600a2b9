#!/bin/bash
# Install Slurm and munge where they are not there yet. Nothing is started or configured: tests/slurm/cluster.py does.
set -euo pipefail

PATH=$PATH:/usr/sbin
if command -v slurmctld slurmd munged sbatch | wc -l | grep -qx 4; then exit; fi
packages=(slurm-wlm munge)
if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "error: test-slurm needs ${packages[*]}, Debian's packages: as root, apt-get install ${packages[*]}" >&2
    exit 2
fi
# a machine that runs services would start the daemons at once, and they would fail without a configuration
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}" ||
    { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${packages[@]}"; }
