// CUDA graphs for callers that cannot catch C++ exceptions.
//
// Errors: functions that give an int give 0, or 1 when libtorch refused; bridge_cuda_graph_error() then holds what it said.
// Threads: a graph belongs to the thread that made it. The error is the calling thread's own.
// Ownership: what bridge_cuda_graph_create made goes by bridge_cuda_graph_destroy. Texts are borrowed.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bridge_cuda_graph bridge_cuda_graph;

// Changes with every change of this file.
int bridge_cuda_graph_abi(void);

// The libtorch whose CUDAGraph is declared in libtorch_cuda.h, for instance "2.10.0".
const char *bridge_cuda_graph_libtorch_borrow(void);

// The compiler that built this.
const char *bridge_cuda_graph_compiler_borrow(void);

// What the last refused call of this thread was told; valid until its next one.
const char *bridge_cuda_graph_error_borrow(void);

// An empty graph. The current device must be the one it is for.
int bridge_cuda_graph_create(bridge_cuda_graph **graph);

// From here on the current stream, which must not be the default one, records. Other threads go on as they were.
int bridge_cuda_graph_capture_begin(bridge_cuda_graph *graph);

// Ends the recording, on the same stream; afterwards the graph can be replayed.
int bridge_cuda_graph_capture_end(bridge_cuda_graph *graph);

// Runs what was recorded on the current stream; does not wait for it.
int bridge_cuda_graph_replay(bridge_cuda_graph *graph);

// Gives up what was recorded and its memory, then the graph, whatever libtorch says to that; null does nothing.
void bridge_cuda_graph_destroy(bridge_cuda_graph *graph);

#ifdef __cplusplus
}
#endif
