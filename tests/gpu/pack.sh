#!/usr/bin/env bash
# Puts the program, its tests and their libraries, all but the natives, into one folder: with it and natives that are
# already there, run.sh needs neither Maven nor a JDK.
#
#     tests/gpu/pack.sh FOLDER
set -euo pipefail
to=$(realpath -m "${1:?the folder to make}")
cd "$(dirname "$0")/../.."
mkdir -p "$to"
mvn -q -B ${MAVEN_OPTIONS:-} -DskipTests package
mvn -q -B ${MAVEN_OPTIONS:-} dependency:copy-dependencies -DincludeScope=test \
  -DexcludeClassifiers=linux-x86_64,linux-x86_64-gpu -DoutputDirectory="$to"
cp target/program/bridge.jar "$to/"
(cd target/test-classes && python3 -m zipfile -c "$to/bridge-tests.jar" ./*)
du -sh "$to"
