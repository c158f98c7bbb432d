/* A CUDA driver without a device, for machines that have none.
 *
 * The program loads `libcuda` at run time. With this library in its place it finds one device. Memory of the device is memory
 * of the host, copies are copies, and a kernel that is launched does nothing. So all results are wrong, but everything before
 * a launch is real: the program generates CUDA C++ for a device of the given architecture, and the real NVRTC compiles it.
 * `scripts/test-cuda.sh` compiles all kernels so.
 *
 *   GRAMASK_SM        the compute capability, such as 90 (which is the default)
 *   GRAMASK_PTX_DIR   a folder for the PTX of each module that is loaded, a file for each
 *
 * Only functions that the program calls are here, with the types of cuda.h where the host can see them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int CUresult;
typedef uint64_t CUdeviceptr;

enum { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1, CUDA_ERROR_OUT_OF_MEMORY = 2, CUDA_ERROR_NOT_SUPPORTED = 801 };

/* As an H100 has them. */
enum { MULTIPROCESSORS = 132 };
static const size_t MEMORY = (size_t)80 << 30;

static int capability(void) {
    const char *text = getenv("GRAMASK_SM");
    int number = text ? atoi(text) : 0;
    return number ? number : 90;
}

static int a_handle;
#define HANDLE ((void *)&a_handle)

/* ---- the device ---- */

CUresult cuInit(unsigned flags) { (void)flags; return CUDA_SUCCESS; }
CUresult cuDriverGetVersion(int *version) { *version = 13000; return CUDA_SUCCESS; }
CUresult cuDeviceGetCount(int *count) { *count = 1; return CUDA_SUCCESS; }
CUresult cuDeviceGet(int *device, int ordinal) { *device = ordinal; return ordinal == 0 ? CUDA_SUCCESS : 101; }
CUresult cuDeviceTotalMem_v2(size_t *bytes, int device) { (void)device; *bytes = MEMORY; return CUDA_SUCCESS; }
CUresult cuMemGetInfo_v2(size_t *left, size_t *all) { *left = *all = MEMORY; return CUDA_SUCCESS; }

CUresult cuDeviceGetName(char *name, int length, int device) {
    (void)device;
    snprintf(name, (size_t)length, "NVIDIA stand-in without a device, sm_%d", capability());
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char *id, int length, int device) {
    (void)device;
    snprintf(id, (size_t)length, "0000:00:00.0");
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(char *uuid, int device) { (void)device; memset(uuid, 0, 16); return CUDA_SUCCESS; }

CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    switch (attribute) {
    case 1: case 2: case 3: *value = 1024; break;               /* threads of a block; its first two dimensions */
    case 4: *value = 64; break;                                 /* the third one */
    case 5: *value = 2147483647; break;                         /* blocks of a grid */
    case 6: case 7: *value = 65535; break;
    case 8: *value = 48 << 10; break;                           /* shared memory of a block, in bytes */
    case 97: *value = capability() >= 90 ? 227 << 10 : 163 << 10; break; /* the same, where a kernel asks for it */
    case 10: *value = 32; break;                                /* threads of a warp */
    case 13: *value = 1755000; break;                           /* clock in kHz */
    case 16: *value = MULTIPROCESSORS; break;
    case 75: *value = capability() / 10; break;
    case 76: *value = capability() % 10; break;
    case 39: *value = 2048; break;                              /* threads of a multiprocessor */
    default: *value = 1; break;                                 /* what is left is yes or no */
    }
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(void **context, int device) { (void)device; *context = HANDLE; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(void *context) { (void)context; return CUDA_SUCCESS; }
CUresult cuCtxGetCurrent(void **context) { *context = HANDLE; return CUDA_SUCCESS; }
CUresult cuCtxSynchronize(void) { return CUDA_SUCCESS; }
CUresult cuCtxGetStreamPriorityRange(int *least, int *greatest) { *least = *greatest = 0; return CUDA_SUCCESS; }

CUresult cuGetErrorName(CUresult error, const char **name) { (void)error; *name = "an error of the stand-in"; return CUDA_SUCCESS; }
CUresult cuGetErrorString(CUresult error, const char **text) { return cuGetErrorName(error, text); }

/* ---- memory ---- */

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
    void *memory = calloc(1, bytes ? bytes : 1);
    *pointer = (CUdeviceptr)(uintptr_t)memory;
    return memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}
CUresult cuMemFree_v2(CUdeviceptr pointer) { free((void *)(uintptr_t)pointer); return CUDA_SUCCESS; }
CUresult cuMemAllocAsync(CUdeviceptr *pointer, size_t bytes, void *stream) { (void)stream; return cuMemAlloc_v2(pointer, bytes); }
CUresult cuMemFreeAsync(CUdeviceptr pointer, void *stream) { (void)stream; return cuMemFree_v2(pointer); }
CUresult cuMemAllocHost_v2(void **pointer, size_t bytes) { *pointer = calloc(1, bytes ? bytes : 1); return *pointer ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY; }
CUresult cuMemFreeHost(void *pointer) { free(pointer); return CUDA_SUCCESS; }

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, void *stream) {
    (void)stream;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) { return cuMemcpyHtoDAsync_v2(to, from, bytes, NULL); }
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, void *stream) {
    (void)stream;
    memcpy(to, (const void *)(uintptr_t)from, bytes);
    return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) { return cuMemcpyDtoHAsync_v2(to, from, bytes, NULL); }
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, void *stream) {
    (void)stream;
    memmove((void *)(uintptr_t)to, (const void *)(uintptr_t)from, bytes);
    return CUDA_SUCCESS;
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, void *stream) {
    (void)stream;
    memset((void *)(uintptr_t)to, value, count);
    return CUDA_SUCCESS;
}

/* CUDA_MEMCPY2D: rows of `WidthInBytes` bytes between two pitched areas. Types: 1 is the host, 2 the device. */
typedef struct {
    size_t srcXInBytes, srcY;
    int srcMemoryType;
    const void *srcHost;
    CUdeviceptr srcDevice;
    void *srcArray;
    size_t srcPitch;
    size_t dstXInBytes, dstY;
    int dstMemoryType;
    void *dstHost;
    CUdeviceptr dstDevice;
    void *dstArray;
    size_t dstPitch;
    size_t WidthInBytes, Height;
} Copy2D;

CUresult cuMemcpy2DAsync_v2(const Copy2D *copy, void *stream) {
    (void)stream;
    const char *from = copy->srcMemoryType == 1 ? copy->srcHost : (const char *)(uintptr_t)copy->srcDevice;
    char *to = copy->dstMemoryType == 1 ? copy->dstHost : (char *)(uintptr_t)copy->dstDevice;
    for (size_t row = 0; row < copy->Height; row++)
        memcpy(to + (copy->dstY + row) * copy->dstPitch + copy->dstXInBytes,
               from + (copy->srcY + row) * copy->srcPitch + copy->srcXInBytes, copy->WidthInBytes);
    return CUDA_SUCCESS;
}

/* ---- streams and events: all work is done when it is submitted ---- */

CUresult cuStreamCreate(void **stream, unsigned flags) { (void)flags; *stream = HANDLE; return CUDA_SUCCESS; }
CUresult cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) { (void)priority; return cuStreamCreate(stream, flags); }
CUresult cuStreamDestroy_v2(void *stream) { (void)stream; return CUDA_SUCCESS; }
CUresult cuStreamSynchronize(void *stream) { (void)stream; return CUDA_SUCCESS; }
CUresult cuStreamQuery(void *stream) { (void)stream; return CUDA_SUCCESS; }
CUresult cuStreamWaitEvent(void *stream, void *event, unsigned flags) { (void)stream; (void)event; (void)flags; return CUDA_SUCCESS; }
CUresult cuEventCreate(void **event, unsigned flags) { (void)flags; *event = HANDLE; return CUDA_SUCCESS; }
CUresult cuEventDestroy_v2(void *event) { (void)event; return CUDA_SUCCESS; }
CUresult cuEventRecord(void *event, void *stream) { (void)event; (void)stream; return CUDA_SUCCESS; }
CUresult cuEventSynchronize(void *event) { (void)event; return CUDA_SUCCESS; }
CUresult cuEventQuery(void *event) { (void)event; return CUDA_SUCCESS; }
CUresult cuEventElapsedTime(float *milliseconds, void *first, void *second) { (void)first; (void)second; *milliseconds = 0.001f; return CUDA_SUCCESS; }
CUresult cuEventElapsedTime_v2(float *milliseconds, void *first, void *second) { return cuEventElapsedTime(milliseconds, first, second); }

/* ---- modules and kernels ---- */

/* Writes the PTX to a file that has the kernel's name and a hash of the text. */
static void keep(const char *ptx) {
    const char *folder = getenv("GRAMASK_PTX_DIR");
    if (!folder) return;
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *at = ptx; *at; at++) hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    const char *entry = strstr(ptx, ".entry ");
    entry = entry ? entry + 7 : "none";
    char path[4096];
    snprintf(path, sizeof path, "%s/%.*s-%016llx.ptx", folder, (int)strcspn(entry, "( \t\n") > 80 ? 80 : (int)strcspn(entry, "( \t\n"),
             entry, (unsigned long long)hash);
    FILE *file = fopen(path, "w");
    if (!file) { perror(path); abort(); }
    fputs(ptx, file);
    if (fclose(file)) { perror(path); abort(); }
}

CUresult cuModuleLoadData(void **module, const void *image) { keep(image); *module = HANDLE; return CUDA_SUCCESS; }
CUresult cuModuleUnload(void *module) { (void)module; return CUDA_SUCCESS; }
CUresult cuModuleGetFunction(void **function, void *module, const char *name) { (void)module; (void)name; *function = HANDLE; return CUDA_SUCCESS; }
CUresult cuFuncSetAttribute(void *function, int attribute, int value) { (void)function; (void)attribute; (void)value; return CUDA_SUCCESS; }
CUresult cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                        void *stream, void **arguments, void **extra) {
    (void)function; (void)shared; (void)stream; (void)arguments; (void)extra;
    /* A grid or a block without a thread is refused by the real driver, too. */
    return gx && gy && gz && bx && by && bz && bx * by * bz <= 1024 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuTensorMapEncodeTiled(void *map) { memset(map, 0, 128); return CUDA_SUCCESS; }
CUresult cuTensorMapEncodeIm2col(void *map) { memset(map, 0, 128); return CUDA_SUCCESS; }

/* ---- graphs of recorded launches: not here, so that the program launches one by one ---- */

CUresult cuStreamBeginCapture_v2(void *stream, int mode) { (void)stream; (void)mode; return CUDA_ERROR_NOT_SUPPORTED; }
CUresult cuStreamEndCapture(void *stream, void **graph) { (void)stream; *graph = NULL; return CUDA_ERROR_NOT_SUPPORTED; }
