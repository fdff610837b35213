// Stands for libtorch_cuda.so while the shim is linked, and is thrown away: it has the soname and the symbols.
#include "libtorch_cuda.h"

namespace at::cuda {

CUDAGraph::CUDAGraph(bool) : members{} {}
CUDAGraph::~CUDAGraph() = default;
void CUDAGraph::capture_begin(std::pair<unsigned long long, unsigned long long>, cudaStreamCaptureMode) {}
void CUDAGraph::capture_end() {}
void CUDAGraph::replay() {}
void CUDAGraph::reset() {}

}  // namespace at::cuda
