#!/bin/sh
# bridge beside PyTorch, in turns, whole processes: see compare_steps.py --help. BRIDGE_PYTHON names
# the Python that has PyTorch, where python3 is not the one.
#
#     tests/peer/compare.sh --workload small --method sa-mdrad
#     tests/peer/compare.sh --threads 1
#     tests/peer/compare.sh --scaling --workload small --method pgd-at
#     tests/peer/compare.sh --autoattack DIR
exec "${BRIDGE_PYTHON:-python3}" "$(dirname "$0")/compare_steps.py" "$@"
