// CUDA graphs behind a C interface: what libtorch throws becomes text. Linked against a stub that has libtorch_cuda.so's
// soname, so that the one that the process has loaded is bound, whole, when this library is loaded.
#include "bridge_cuda_graph.h"

#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>

#include "libtorch_cuda.h"

#define EXPORTED extern "C" __attribute__((visibility("default")))

using at::cuda::CUDAGraph;

// More room than the object takes. The rest must stay as it is: a libtorch whose object is larger is found out.
struct bridge_cuda_graph {
  static constexpr std::size_t room = 1024;
  static constexpr unsigned char untouched = 0xa5;

  alignas(64) unsigned char storage[room];

  CUDAGraph *operator->() { return std::launder(reinterpret_cast<CUDAGraph *>(storage)); }

  void check() const {
    for (std::size_t i = sizeof(CUDAGraph); i < room; i++) {
      if (storage[i] != untouched) {
        throw std::runtime_error("libtorch's CUDAGraph is larger than the 104 bytes that it has in libtorch " LIBTORCH);
      }
    }
  }
};

static_assert(sizeof(CUDAGraph) == 104 && sizeof(CUDAGraph) < bridge_cuda_graph::room);

namespace {

thread_local char last_error[2048];

void note(const char *text) noexcept {
  std::strncpy(last_error, text, sizeof last_error - 1);
  last_error[sizeof last_error - 1] = '\0';
}

// c10::Error is a std::exception; caught as that, its own class need not be declared.
template <typename Work>
int guarded(Work work) noexcept {
  try {
    work();
    return 0;
  } catch (const std::exception &e) {
    note(e.what());
  } catch (...) {
    note("an exception of unknown class");
  }
  return 1;
}

}  // namespace

EXPORTED int bridge_cuda_graph_abi(void) { return 1; }

EXPORTED const char *bridge_cuda_graph_libtorch_borrow(void) { return LIBTORCH; }

EXPORTED const char *bridge_cuda_graph_compiler_borrow(void) { return "g++ " __VERSION__; }

EXPORTED const char *bridge_cuda_graph_error_borrow(void) { return last_error; }

EXPORTED int bridge_cuda_graph_create(bridge_cuda_graph **graph) {
  *graph = nullptr;
  return guarded([&] {
    auto *made = new bridge_cuda_graph;
    std::memset(made->storage, bridge_cuda_graph::untouched, sizeof made->storage);
    try {
      new (made->storage) CUDAGraph(false);
    } catch (...) {
      delete made;
      throw;
    }
    made->check();  // if it throws, what is there is of unknown shape: better leaked than freed
    *graph = made;
  });
}

EXPORTED int bridge_cuda_graph_capture_begin(bridge_cuda_graph *graph) {
  // Thread-local: while this thread records, others (a batch that is being filled) may allocate pinned memory.
  return guarded([&] { (*graph)->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal); });
}

EXPORTED int bridge_cuda_graph_capture_end(bridge_cuda_graph *graph) {
  return guarded([&] {
    (*graph)->capture_end();
    graph->check();
  });
}

EXPORTED int bridge_cuda_graph_replay(bridge_cuda_graph *graph) {
  return guarded([&] { (*graph)->replay(); });
}

EXPORTED void bridge_cuda_graph_destroy(bridge_cuda_graph *graph) {
  if (graph == nullptr) {
    return;
  }
  // First by itself: what it throws can be caught here, but not in a destructor.
  guarded([&] { (*graph)->reset(); });
  (*graph)->~CUDAGraph();
  delete graph;
}
