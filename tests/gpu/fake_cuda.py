#!/usr/bin/env python3
"""Lets the CUDA build run where there is no device: every call is made, no number means anything.

    python3 tests/gpu/fake_cuda.py FOLDER
    BRIDGE_JAVA=FOLDER/java BRIDGE_APP=app tests/gpu/run.sh FOLDER/results

unpacks the presets' CUDA build (its jar must be in Maven's repository: mvn -Pcuda package brings it) into FOLDER/natives,
makes the libraries of CUDA 13 that it wants out of fake_cuda.c and functions that do nothing, and writes FOLDER/java, a
java command that uses both. What it shows: whether a step runs through, what waits for the device (a count at the end of
the process), what a capture would refuse. Tests that compare numbers fail. Needs gcc, nm and objdump.
"""
import collections
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PRESETS = pathlib.Path.home() / ".m2/repository/org/bytedeco"
NATIVES = "pytorch/*/pytorch-*-linux-x86_64-gpu.jar"
BESIDE = ("openblas/*/openblas-*-linux-x86_64.jar", "javacpp/*/javacpp-*-linux-x86_64.jar")

# Whose a function without a version is; and two libraries that are opened by name.
PREFIXES = {"nccl": "libnccl.so.2", "cuFile": "libcufile.so.0", "curand": "libcurand.so.10", "cungqr_": "libcusolver.so.12",
            "cunmqr_": "libcusolver.so.12"}
OPENED = {"libcuda.so.1": r"cu[A-Z]\w+", "libnvrtc.so.13": r"nvrtc[A-Z]\w+"}
HANDLE = re.compile(r"(cublas|cublasLt|cusparse|cusolver\w*|cudnn)Create(_v2|\w*Descriptor)?$")


def output(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def newest(pattern):
    found = sorted(PRESETS.glob(pattern))
    if not found:
        sys.exit(f"fake_cuda: there is no {PRESETS}/{pattern}; mvn -Pcuda -DskipTests package brings it")
    return found[-1]


def unpack(to):
    to.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(newest(NATIVES)) as jar:
        for entry in jar.namelist():
            name = entry.rsplit("/", 1)[-1]
            if ".so" in name and not (to / name).exists():
                with jar.open(entry) as source, open(to / name, "wb") as target:
                    shutil.copyfileobj(source, target)


def wanted(natives):
    """Library -> the functions that the natives want of it."""
    functions = collections.defaultdict(set)
    for library in natives.glob("*.so"):
        for line in output("objdump", "-T", library).splitlines():
            match = re.search(r"\*UND\*\s+[0-9a-f]+\s+(?:\((\S+)\)\s+)?(\w+)$", line)
            if match:
                version, name = match.groups()
                prefix = next((p for p in PREFIXES if name.startswith(p)), None)
                if version and re.match(r"lib(cu|nv)", version):
                    functions[version].add(name)
                elif prefix:
                    functions[PREFIXES[prefix]].add(name)
    words = set(re.findall(rb"\x00(cu[A-Z]\w+|nvrtc[A-Z]\w+)(?=\x00)", (natives / "libtorch_cuda.so").read_bytes()))
    for library, pattern in OPENED.items():
        functions[library] = {w.decode() for w in words if re.fullmatch(pattern, w.decode())}
    for library in PREFIXES.values():
        functions[library] |= set()
    return functions


def body(name):
    if HANDLE.match(name):
        return f"int {name}(void **handle) {{ return *handle = (void *)0x100, 0; }}"
    if re.search(r"String$|LastError$", name):
        return f'const char *{name}(void) {{ return "no error"; }}'
    return f"int {name}(void) {{ return 0; }}"


def build(folder, functions):
    """A library for each name; those of whose functions some are written by hand get all of these."""
    folder.mkdir(exist_ok=True)
    by_hand = set(re.findall(r"(\w+)\([^;{}]*\)\s*\{", (HERE / "fake_cuda.c").read_text()))
    for library, names in functions.items():
        source, versions = folder / f"{library}.c", folder / f"{library}.map"
        source.write_text("\n".join(body(n) for n in sorted(names - by_hand)) + "\n")
        versions.write_text(f"{library} {{ global: *; }};\n")
        sources = [source, HERE / "fake_cuda.c"] if names & by_hand else [source]
        output("gcc", "-w", "-O1", "-shared", "-fPIC", f"-Wl,-soname,{library}", f"-Wl,--version-script={versions}",
               "-o", folder / library, *sources)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    natives, libraries = folder / "natives", folder / "libraries"
    unpack(natives)
    build(libraries, wanted(natives))
    java = folder / "java"
    java.write_text(f"""#!/bin/sh
# The CUDA runtime goes first: JavaCPP looks for the machine's own before it looks here.
export LD_PRELOAD={libraries}/libcudart.so.13 LD_LIBRARY_PATH={natives}:{libraries} TORCH_CUDNN_V8_API_DISABLED=1
exec "${{JAVA_HOME:+$JAVA_HOME/bin/}}java" -Djava.library.path={natives} -Dorg.bytedeco.javacpp.pathsFirst=true \\
  -Dorg.bytedeco.javacpp.platform.extension=-gpu -Dorg.bytedeco.javacpp.maxPhysicalBytes=0 "$@"
""")
    java.chmod(0o755)
    print(f"BRIDGE_JAVA={java} BRIDGE_NATIVES={':'.join(str(newest(p)) for p in BESIDE)}")


if __name__ == "__main__":
    main()
