// The CUDA runtime, and a few functions of its libraries, for a machine without a device: memory is the processor's, kernels
// do nothing. What is not here fake_cuda.py makes: functions that say yes. So no number means anything, but every call that
// the program makes is made, and what CUDA forbids while a stream is captured is refused as CUDA refuses it.
//
// When the process ends it prints how many kernels were launched, how many calls waited for the device, and how many
// copies went to the processor.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long u64;

enum { REFUSED = 900, INVALIDATED = 901, GLOBAL = 0, RELAXED = 2, TO_HOST = 2, ACTIVE = 1, SPOILT = 2 };

static u64 launches, captured, waits, copies_to_host, graph_launches;
static u64 handles = 0x1000;
static u64 capture;
static void *capturing, *nothing = "fake";
static int spoilt, last_error;
static __thread int mode, captures;

__attribute__((destructor)) static void tell(void) {
  if (launches) {  // else this is not the library with the runtime
    fprintf(stderr, "fake CUDA: %llu launches, %llu of them captured, %llu graph launches, ", launches, captured, graph_launches);
    fprintf(stderr, "%llu waits, %llu copies to the processor\n", waits, copies_to_host);
  }
}

static int refuse(void) {
  spoilt = 1;
  return last_error = REFUSED;
}

// Calls that the thread that captures may not make, but with the relaxed mode.
static int forbidden(void) { return capturing && captures && mode != RELAXED; }

static int make(void **handle) {
  *handle = (void *)(handles += 16);
  return 0;
}

static int launched(void) {
  launches++;
  captured += capturing != NULL;
  return 0;
}

static int waited(void *stream) {
  waits++;
  return (capturing && stream == capturing) || forbidden() ? refuse() : 0;
}

// ---- devices ----

int cudaGetDeviceCount(int *n) { return *n = 1, 0; }
int cudaGetDevice(int *device) { return *device = 0; }
int cudaDriverGetVersion(int *version) { return *version = 13010, 0; }
int cudaRuntimeGetVersion(int *version) { return *version = 13010, 0; }
int cudaDeviceCanAccessPeer(int *can) { return *can = 0; }
int cudaDeviceGetAttribute(int *value, int what) { return *value = what == 75 ? 9 : what == 76 ? 0 : what == 10 ? 32 : 1024, 0; }

// By the offsets of CUDA 13's structure; what is not set by name is plenty of everything.
int cudaGetDeviceProperties(char *p, int device) {
  memset(p, 0, 384);
  strcpy(p, "no device");
  *(u64 *)(p + 288) = 16ull << 30;
  *(u64 *)(p + 296) = 48 << 10;
  int *threads = (int *)(p + 304);
  memcpy(threads, (int[]){65536, 32}, 8);
  *(u64 *)(p + 312) = 1 << 30;
  memcpy(p + 320, (int[]){1024, 1024, 1024, 64, 2147483647, 65535, 65535}, 28);
  *(u64 *)(p + 352) = 64 << 10;
  memcpy(p + 360, (int[]){9, 0}, 8);
  *(u64 *)(p + 368) = 512;
  *(u64 *)(p + 376) = 32;
  for (int *i = (int *)(p + 384); (char *)i < p + 700; i++) {
    *i = 1024;
  }
  return 0;
}

const char *cudaGetErrorName(int e) { return e ? "cudaError" : "cudaSuccess"; }
const char *cudaGetErrorString(int e) {
  return e == REFUSED       ? "operation not permitted when stream is capturing"
         : e == INVALIDATED ? "operation failed due to a previous error during capture"
                            : "no error";
}
int cudaPeekAtLastError(void) { return last_error; }
int cudaGetLastError(void) {
  int e = last_error;
  last_error = 0;
  return e;
}

// ---- memory ----

int cudaMalloc(void **p, size_t bytes) {
  if (forbidden()) {
    return refuse();
  }
  *p = aligned_alloc(512, (bytes + 1023) & ~511ul);
  memset(*p, 0, bytes);
  return 0;
}
int cudaHostAlloc(void **p, size_t bytes, unsigned flags) { return cudaMalloc(p, bytes); }
int cudaFree(void *p) { return free(p), 0; }
int cudaFreeHost(void *p) { return free(p), 0; }
int cudaMemGetInfo(size_t *left, size_t *all) { return *left = 8ull << 30, *all = 16ull << 30, 0; }
int cudaGetSymbolAddress(void **p) { return cudaMalloc(p, 4096); }
int cudaPointerGetAttributes(int *attributes) { return memset(attributes, 0, 32), 0; }

int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
  copies_to_host += kind == TO_HOST;
  if (capturing && stream == capturing) {
    captured++;
  } else {
    memcpy(to, from, bytes);
  }
  return 0;
}
int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) {
  return waited(NULL) ? REFUSED : cudaMemcpyAsync(to, from, bytes, kind, NULL);
}
int cudaMemsetAsync(void *p, int value, size_t bytes, void *stream) {
  if (capturing && stream == capturing) {
    captured++;
  } else {
    memset(p, value, bytes);
  }
  return 0;
}

// ---- streams and events ----

int cudaStreamCreateWithPriority(void **stream) { return make(stream); }
int cudaEventCreateWithFlags(void **event) { return make(event); }
int cudaEventCreate(void **event) { return make(event); }
int cudaDeviceGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, 0; }
int cudaStreamSynchronize(void *stream) { return waited(stream); }
int cudaEventSynchronize(void *event) { return waited(NULL); }
int cudaDeviceSynchronize(void) { return waited(capturing); }
int cudaEventQuery(void *event) { return forbidden() ? refuse() : 0; }
int cudaStreamQuery(void *stream) { return forbidden() ? refuse() : 0; }

// ---- kernels ----

int __cudaLaunchKernel(void) { return launched(); }
int cudaLaunchKernelExC(void) { return launched(); }
int __cudaGetKernel(void **kernel) { return make(kernel); }
void **__cudaRegisterFatBinary(void) { return &nothing; }
int __cudaPopCallConfiguration(int *grid, int *block, size_t *shared, void **stream) {
  memcpy(grid, (int[]){1, 1, 1}, 12);
  memcpy(block, (int[]){1, 1, 1}, 12);
  return *shared = 0, *stream = NULL, 0;
}
int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks) { return *blocks = 2, 0; }
int cudaFuncGetAttributes(int *attributes) {
  memset(attributes, 0, 64);
  memcpy(attributes + 6, (int[]){1024, 32, 90, 90}, 16);
  return 0;
}
int cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version, u64 flags, int *result) {
  *function = NULL;
  *result = 1;
  return 500;
}

// ---- graphs ----

int cudaStreamIsCapturing(void *stream, int *status) {
  *status = !capturing || stream != capturing ? 0 : spoilt ? SPOILT : ACTIVE;
  return 0;
}
int cudaStreamGetCaptureInfo(void *stream, int *status, u64 *id) {
  cudaStreamIsCapturing(stream, status);
  if (id) {
    *id = *status ? capture : 0;
  }
  return 0;
}
int cudaThreadExchangeStreamCaptureMode(int *other) {
  int before = mode;
  mode = *other;
  *other = before;
  return 0;
}
int cudaStreamBeginCapture(void *stream) {
  if (stream == NULL) {
    return last_error = REFUSED;
  }
  capturing = stream;
  captures = 1;
  spoilt = 0;
  capture++;
  return 0;
}
int cudaStreamEndCapture(void *stream, void **graph) {
  capturing = NULL;
  captures = 0;
  *graph = NULL;
  return spoilt ? last_error = INVALIDATED : make(graph);
}
int cudaGraphInstantiateWithFlags(void **executable) { return make(executable); }
int cudaGraphGetNodes(void *graph, void *nodes, size_t *count) { return *count = 1, 0; }
int cudaGraphLaunch(void) { return graph_launches++, 0; }

// ---- the driver ----

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { return *flags = 0, *active = 1, 0; }
int cuCtxGetCurrent(void **context) { return make(context); }
int cuGetErrorString(int error, const char **text) { return *text = "no error", 0; }
int nvrtcVersion(int *major, int *minor) { return *major = 13, *minor = 0; }

// ---- cuBLAS and cuDNN: handles, and one algorithm that is there for everything ----

static int one(int *count, void *found, size_t size) { return memset(found, 0, size), *count = 1, 0; }

int cublasLtMatmulAlgoGetHeuristic(void *h, void *o, void *a, void *b, void *c, void *d, void *p, int n, void *found, int *count) {
  return one(count, found, 96);
}
int cudnnGetConvolutionForwardAlgorithm_v7(void *h, void *x, void *w, void *c, void *y, int n, int *count, void *found) {
  return one(count, found, 48);
}
int cudnnGetConvolutionBackwardDataAlgorithm_v7(void *h, void *w, void *y, void *c, void *x, int n, int *count, void *found) {
  return one(count, found, 48);
}
int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void *h, void *x, void *y, void *c, void *w, int n, int *count, void *found) {
  return one(count, found, 48);
}

// How much room these want: none, but that must be said.
int cudnnGetConvolutionForwardWorkspaceSize(void *h, void *x, void *w, void *c, void *y, int a, size_t *size) { return *size = 0; }
int cudnnGetConvolutionBackwardDataWorkspaceSize(void *h, void *w, void *y, void *c, void *x, int a, size_t *size) {
  return *size = 0;
}
int cudnnGetConvolutionBackwardFilterWorkspaceSize(void *h, void *x, void *y, void *c, void *w, int a, size_t *size) {
  return *size = 0;
}
int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(void *h, int m, int o, void *a, void *x, size_t *size) {
  return *size = 0;
}
int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(
    void *h, int m, int o, void *x, void *z, void *y, void *b, void *a, size_t *size) {
  return *size = 0;
}
int cudnnGetBatchNormalizationBackwardExWorkspaceSize(
    void *h, int m, int o, void *x, void *y, void *dy, void *dz, void *dx, void *b, void *a, size_t *size) {
  return *size = 0;
}

size_t cudnnGetVersion(void) { return 91900; }
