// Takes libtorch_cuda.so's place in tests of the shim: notes the calls, and refuses one on demand, as libtorch would.
// -DWITHOUT_REPLAY leaves a symbol out; -DLARGER makes the object larger than the shim knows it.
#include <exception>
#include <string>

#include "../../jni/libtorch_cuda.h"

namespace {

std::string calls;
std::string refused;

// Like c10::Error: the reason in the first line, then where it was raised.
struct Refusal : std::exception {
  const char *what() const noexcept override {
    return "CUDA error: operation not permitted when stream is capturing\n"
           "Exception raised from capture at CUDAGraph.cpp:123 (most recent call first):\nframe #0: fake";
  }
};

void note(const std::string &call) {
  calls += calls.empty() ? call : " " + call;
  const std::string name = call.substr(0, call.find('('));
  if (refused == name) {
    throw Refusal();
  }
  if (refused == name + "!") {
    throw 42;
  }
}

}  // namespace

extern "C" {
const char *fake_calls() { return calls.c_str(); }
void fake_note(const char *call) { note(call); }
void fake_refuse(const char *call) { refused = call; }
}

namespace at::cuda {

CUDAGraph::CUDAGraph(bool keep_graph) : members{} {
#ifdef LARGER
  reinterpret_cast<unsigned char volatile *>(this)[sizeof *this + 24] = 0;
#endif
  note(keep_graph ? "CUDAGraph(true)" : "CUDAGraph(false)");
}

CUDAGraph::~CUDAGraph() { calls += " ~CUDAGraph"; }

void CUDAGraph::capture_begin(std::pair<unsigned long long, unsigned long long> pool, cudaStreamCaptureMode mode) {
  note("capture_begin(" + std::to_string(pool.first) + "," + std::to_string(pool.second) + "," + std::to_string(mode) + ")");
}

void CUDAGraph::capture_end() { note("capture_end"); }
#ifndef WITHOUT_REPLAY
void CUDAGraph::replay() { note("replay"); }
#endif
void CUDAGraph::reset() { note("reset"); }

}  // namespace at::cuda
