// What the shim uses of libtorch_cuda.so, declared by hand: the presets' jars hold no headers.
//
// As exported by libtorch 2.10.0 (org.bytedeco:pytorch:2.10.0-1.5.13, classifier linux-x86_64-gpu; nm -D, mangled):
//   _ZN2at4cuda9CUDAGraphC1Eb, …D1Ev, …13capture_beginESt4pairIyyE21cudaStreamCaptureMode, …11capture_endEv, …6replayEv, …5resetEv
//
// The size is that of this version too, read from its constructor's code: the last member it writes is keep_graph_, one
// byte at offset 0x61, behind pointers, so 0x68 with the alignment of 8. The shim checks at run time that nothing more was
// written.
#pragma once

#include <utility>

enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal = 0,
  cudaStreamCaptureModeThreadLocal = 1,
  cudaStreamCaptureModeRelaxed = 2,
};

namespace at::cuda {

struct CUDAGraph {
  explicit CUDAGraph(bool keep_graph);
  ~CUDAGraph();

  // The current stream begins to record instead of to run; {0, 0}: with a memory pool of the graph's own.
  void capture_begin(std::pair<unsigned long long, unsigned long long> pool, cudaStreamCaptureMode mode);
  // … and ends, on the same stream; without keep_graph it makes the executable graph at once.
  void capture_end();
  // Runs the graph on the current stream, and does not wait for it.
  void replay();
  // Gives up graph and pool.
  void reset();

 private:
  alignas(8) unsigned char members[0x68];
};

}  // namespace at::cuda
